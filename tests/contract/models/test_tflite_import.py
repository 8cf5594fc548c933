"""A .tflite file on its own: converted, compared with LiteRT, recognised as ONNX files are, and served as it is."""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.engines import needs
from vigie import open_model
from vigie.errors import ModelFileError, ProviderError
from vigie.models import load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes.engines.reference_run import run_reference
from vigie.vision.decoders import make_decoder
from vigie_devkit.__main__ import main
from vigie_devkit.models.importer import import_model
from vigie_devkit.models.prepare import prepare

pytestmark = needs("litert")

if not pytestmark.args[0]:
    from support import tflite_graphs as graphs
    from support import tflite_models as twin

LABELS = "bolt\nnut\nwasher\n"


def appended(content: bytes, **files: str) -> bytes:
    """With a zip at its end, as tools write metadata."""
    packed = io.BytesIO(content)
    with zipfile.ZipFile(packed, "a") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return packed.getvalue()


def ultralytics(classes: tuple[str, ...]) -> str:
    return json.dumps({"task": "detect", "imgsz": [64, 64], "names": dict(enumerate(classes)), "author": "Ultralytics"})


def told(folder: Path, content: bytes, name: str = "x.tflite") -> tuple[Path, Path]:
    file, labels = folder / name, folder / "labels.txt"
    file.write_bytes(content)
    labels.write_text(LABELS)
    return file, labels


def imported(folder: Path, content: bytes, *words: str) -> int:
    file, labels = told(folder, content)
    return main(["models", "import", str(file), "--output", str(folder / "out"), "--labels", str(labels), *words])


@pytest.mark.parametrize(
    "how",
    [{}, {"unit_boxes": True}, {"int8": True, "unit_boxes": True}, {"int8": True, "unit_boxes": True, "int8_out": True},
     {"weights_only": True}],
    ids=["floats", "boxes in shares", "int8 in", "int8 in and out", "weights alone in int8"],
)  # fmt: skip
def test_a_yolo_becomes_the_bundle_that_its_onnx_export_becomes(tmp_path: Path, how: dict[str, Any]) -> None:
    weights = twin.Weights.drawn()
    file, labels = told(tmp_path, appended(twin.as_tflite(weights, **how), metadata_json=ultralytics(twin.CLASSES)))
    ours = load_bundle(import_model(file, tmp_path / "ours", trust=True))
    theirs = tmp_path / "twin.onnx"
    theirs.write_bytes(twin.as_onnx(weights).SerializeToString())
    other = load_bundle(import_model(theirs, tmp_path / "theirs", family="yolov8", labels=labels, trust=True))
    assert (ours.card.decoder, ours.card.labels, ours.card.input) == (
        other.card.decoder,
        twin.CLASSES,
        other.card.input,
    )
    assert ours.card.source.file == "x.tflite"
    assert ours.card.source.steps[0].startswith("converted from ")
    assert "operators agree with LiteRT within" in ours.card.source.steps[1]
    within = 0.05 if "int8" in how or "weights_only" in how else 1e-3
    content = ours.variant("fp32").read().graph
    for pair in read_reference(other):
        (mine,) = run_reference(content, {"image_bgr": pair.tensor_hwc[None]}, name="ours").values()
        reach = np.abs(pair.outputs[0]).max(axis=2, keepdims=True)
        assert (np.abs(mine - pair.outputs[0]) / reach).max() <= within


def test_the_very_file_is_attached_and_the_command_says_how_it_is_fed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = twin.as_tflite(twin.Weights.drawn(), int8=True, unit_boxes=True, int8_out=True)
    assert imported(tmp_path, content, "--input", "rgb/0..1", "--trust") == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "the file itself: tflite-int8, channels rgb, range 0..1, boxes in shares of the sides: f1 " in said
    bundle = load_bundle(tmp_path / "out")
    assert list(bundle.card.variants) == ["fp32", "tflite-int8"]
    assert bundle.variant("tflite-int8").read().graph == content
    assert "rows and columns turned" in bundle.card.source.steps
    assert "boxes multiplied by the input's sides" in bundle.card.source.steps


def test_the_library_opens_it_as_it_opens_an_onnx_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VIGIE_LIBRARY_CACHE", str(tmp_path / "cache"))
    content = appended(twin.as_tflite(twin.Weights.drawn(), int8=True), metadata_json=ultralytics(twin.CLASSES))
    file, _ = told(tmp_path, content)
    with open_model(file) as model:
        assert model.labels == twin.CLASSES
        assert model.card.source.file == "x.tflite"


@pytest.mark.parametrize("int8", [False, True], ids=["floats", "int8 in"])
def test_an_ssd_loses_its_suppression_and_finds_what_litert_finds(
    tmp_path: Path, int8: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    content = graphs.ssd(int8=int8)
    more = () if int8 else ("--input", "rgb/-1..1")
    assert imported(tmp_path, content, *more) == 0, capsys.readouterr().err
    assert "left out   the file itself: gives [1, 10, 4]" in capsys.readouterr().out
    bundle = load_bundle(tmp_path / "out")
    card = bundle.card
    assert (card.decoder.family, card.labels, card.thresholds.iou_max) == ("dense", twin.CLASSES, 0.6)
    assert [output.shape for output in card.outputs] == [(1, 64, 4), (1, 64, 3)]
    if int8:
        fed = next(one for one in card.source.concluded if one.question == "input")
        assert fed.answer == "rgb/-1..1"
        assert "its quantized input holds -0.996 to 1" in fed.because
    decoder = make_decoder(card)
    for pair in read_reference(bundle):
        feed = (pair.tensor_hwc[None, ..., ::-1].astype(np.float32) - 127.5) / 127.5
        steps = np.clip(np.rint(feed / (2 / 255)) - 1, -128, 127).astype(np.int8)
        boxes, classes, scores, count = graphs.run_litert(content, steps if int8 else feed)
        outputs = run_reference(bundle.variant("fp32").read().graph, {"image_bgr": pair.tensor_hwc[None]}, name="x")
        found = decoder([outputs["boxes"], outputs["scores"]], score_min=1e-6, iou_max=1.0)
        for at in range(int(count[0])):
            xyxy = boxes[0, at][[1, 0, 3, 2]] * 64
            off = np.abs(found.boxes_xyxy - xyxy).max(axis=1) + 100 * (found.class_ids != classes[0, at])
            assert off.min() < 0.5
            assert abs(found.scores[off.argmin()] - scores[0, at]) < 0.02


def test_a_classifier_in_floats_and_with_integer_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for weights_only in (False, True):
        content = appended(graphs.Chain().classifier(weights_only=weights_only), labels_txt="a\nb\nc\nd\n")
        file = tmp_path / "classes.tflite"
        file.write_bytes(content)
        output = tmp_path / f"out{weights_only}"
        code = main(["models", "import", str(file), "--output", str(output), "--input", "rgb/0..1"])
        assert code == 0, capsys.readouterr().err
        card = load_bundle(output).card
        assert (card.task, card.labels, card.labels_from) == ("classification", ("a", "b", "c", "d"), "metadata")
        assert len(card.variants) == 2


def test_labels_at_the_end_of_an_ssd_are_taken_without_their_background(tmp_path: Path) -> None:
    file, _ = told(tmp_path, appended(graphs.ssd(int8=True), labelmap_txt=f"???\n{LABELS}"))
    assert prepare(file).signature.labels == twin.CLASSES


def test_what_is_appended_and_cannot_be_read_is_not_missed(tmp_path: Path) -> None:
    file, _ = told(tmp_path, graphs.ssd(int8=True) + b"PK\x05\x06" + bytes(18))
    assert prepare(file).signature.labels is None


def test_inspect_reads_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, labels = told(tmp_path, graphs.ssd(int8=True))
    assert main(["models", "inspect", str(file), "--labels", str(labels)]) == 0
    said = capsys.readouterr().out
    assert "boxes and scores that TFLite_Detection_PostProcess suppresses" in said
    assert "operators agree with LiteRT within" in said


def refused(folder: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> str:
    assert imported(folder, content) != 0
    assert not (folder / "out").exists()
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


def test_an_operator_that_is_not_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = graphs.as_file(graphs.Case("CUMSUM", (np.array(1, np.int32),)))
    assert "operator CUMSUM is not read; export the model to .onnx" in refused(tmp_path, content, capsys)
    writer = twin.Writer()
    source = writer.tensor("in", (1, 64, 64, 3), 0)
    result = writer.tensor("out", (1, 64, 64, 3), 0)
    writer.custom("edgetpu-custom-op", [source], [result], b"x" * 100_000)
    compiled = writer.finish([source], [result])
    assert "operator edgetpu-custom-op is not read; export the model to .onnx" in refused(tmp_path, compiled, capsys)


@pytest.mark.parametrize(
    ("options", "said"),
    [(b"", "options that cannot be read"), (b"\x00\x01\x02", "options that cannot be read"), (None, "finds nothing")],
    ids=["empty", "not a flexbuffer", "a threshold that nothing reaches"],
)
def test_an_ssd_that_cannot_be_compared_is_refused(
    tmp_path: Path, options: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(tmp_path, graphs.ssd(options=options, score_min=2.0), capsys)


def test_a_conversion_that_answers_otherwise_is_refused_with_the_operator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vigie_devkit.models.tflite.operators import OPERATORS

    # ``LOGISTIC`` read as TANH.
    monkeypatch.setitem(OPERATORS, "LOGISTIC", OPERATORS["TANH"])  # type: ignore[misc]
    said = refused(tmp_path, twin.as_tflite(twin.Weights.drawn()), capsys)
    assert "is not answered by its conversion as by LiteRT: LOGISTIC 'scores' differs by " in said


def test_without_litert_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    file, _ = told(tmp_path, graphs.ssd())
    with pytest.raises(
        ProviderError, match=r"ai-edge-litert is not installed here.*install ai-edge-litert \(vigie\[litert\]\)"
    ):
        prepare(file)


def patched(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new)


def hostile() -> dict[str, tuple[bytes, str]]:
    whole = graphs.as_file(graphs.Case("RELU"))
    shape = struct.pack("<I4i", 4, *graphs.SHAPE)
    conv = graphs.as_file(
        graphs.Case("CONV_2D", (np.ones((5, 3, 3, 3), np.float32), np.zeros(5, np.float32)), shapes=((1, 8, 6, 5),))
    )
    kernel = struct.pack("<I4i", 4, 5, 3, 3, 3)
    cycle, writer = graphs.Case("RELU"), twin.Writer()
    source = writer.tensor("in", cycle.source, 0)
    one, two = (writer.tensor(name, cycle.source, 0) for name in ("one", "two"))
    writer.operator(0, 1, [source, two], [one])
    writer.operator(0, 1, [source, one], [two])
    shared = twin.Writer()
    source = shared.tensor("in", (1, 8, 6, 3), 0)
    weights = shared.tensor("weights", (1 << 20,), 9, data=np.zeros(1 << 20, np.int8))
    held = shared.tensors[weights].buffer
    for index in range(2100):  # each reads the one buffer of a MiB anew
        shared.tensors[shared.tensor(f"again{index}", (1 << 18,), 0)].buffer = held
    return {
        "a buffer that 2100 weights share": (shared.finish([source], [source]), "at most 536870912 are read"),
        "cut": (whole[: len(whole) // 2], "is not a whole .tflite file"),
        "nothing behind the mark": (b"\x1c\0\0\0TFL3", "is not a whole .tflite file"),
        "zeros": (b"\x1c\0\0\0TFL3" + bytes(99), "holds 0 graphs"),
        "a huge shape": (
            patched(whole, shape, struct.pack("<I4i", 4, 1, 1 << 30, 1 << 30, 3)),
            "at most 536870912 elements",
        ),
        "a negative side": (patched(whole, shape, struct.pack("<I4i", 4, 1, -8, 6, 3)), "has the shape [1, -8, 6, 3]"),
        "a weight too short": (
            patched(conv, kernel, struct.pack("<I4i", 4, 5, 3, 3, 4)),
            "needs 720 bytes and has 540",
        ),
        "a cycle": (writer.finish([source], [two]), "reads 'two' before it is computed"),
    }


HOSTILE = {} if pytestmark.args[0] else hostile()


@pytest.mark.parametrize(("content", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_ends_in_one_sentence(
    tmp_path: Path, content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(tmp_path, content, capsys)


def test_a_file_that_crashes_litert_does_not_take_import_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vigie_devkit.models.tflite import answers

    crash = tmp_path / "python"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    monkeypatch.setattr(answers.sys, "executable", str(crash))
    file, _ = told(tmp_path, graphs.ssd())
    with pytest.raises(ModelFileError, match=r"crashes LiteRT \(signal 11\); the file is damaged"):
        prepare(file)
