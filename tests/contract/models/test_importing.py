"""What the importer promises beyond recognition: opsets, folding, replacement, the reference frames, the commands."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import msgspec
import numpy as np
import onnx
import pytest

from support import models
from vigie.errors import BundleError, CardError, ModelParityError
from vigie.models import load_bundle
from vigie.models.card import Card, read_card, write_card
from vigie.models.reference import read_reference
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie_devkit.cli import main
from vigie_devkit.models import import_model
from vigie_devkit.models.parity import SINGLE, Answers, require_same
from vigie_devkit.models.pictures import scene


def test_an_old_opset_is_raised_so_that_quantization_can_follow(tmp_path: Path) -> None:
    g = models.Graph()
    relu = g.add("Relu", g.add("Conv", "images", g.constant(np.ones((8, 3, 8, 8)) / 6400)), name="r")
    g.nodes[0].attribute.append(onnx.helper.make_attribute("strides", [8, 8]))
    flat = g.add("Reshape", relu, g.constant([1, 8, 16], np.int64))
    for stride in (2, 4):
        pooled = g.add("MaxPool", relu, kernel_shape=[stride] * 2, strides=[stride] * 2)
        flat = g.add("Concat", flat, g.add("Reshape", pooled, g.constant([1, 8, -1], np.int64)), axis=2)
    g.add("Transpose", g.add("Sigmoid", flat), perm=[0, 2, 1], name="output")
    model = g.model([models.image((32, 32))], [models.tensor("output", [1, 21, 8])], opset=11)

    bundle = load_bundle(import_model(models.save(model, tmp_path), tmp_path / "b", family="yolox"))

    assert bundle.card.variants["fp32"].opset == 17
    assert "opset 11 raised to 17" in bundle.card.source.steps


def test_the_device_feeds_bytes_only(tmp_path: Path) -> None:
    bundle = load_bundle(import_model(models.save(models.yolov5(), tmp_path), tmp_path / "b"))
    model = onnx.load(bundle.variant().file)
    assert [item.name for item in model.graph.input] == ["image_bgr"]
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [1, 64, 64, 3]


def test_outputs_that_nobody_reads_are_cut_with_what_makes_them(tmp_path: Path) -> None:
    bundle = load_bundle(
        import_model(models.save(models.tensorflow_ssd(), tmp_path), tmp_path / "b", labels=models.NAMES)
    )
    assert [output.name for output in bundle.card.outputs] == [
        "detection_boxes",
        "detection_classes",
        "detection_scores",
    ]
    names = {name for node in onnx.load(bundle.variant().file).graph.node for name in node.output}
    assert "num_detections" not in names


def test_the_reference_frames_are_what_the_engine_answers(tmp_path: Path) -> None:
    bundle = load_bundle(import_model(models.save(models.yolox(), tmp_path), tmp_path / "b"))
    pairs = read_reference(bundle)
    assert len(pairs) == 2, "two drawn scenes, and not the flat pictures"
    with open_engine(bundle) as engine:
        for pair in pairs:
            for stored, ran in zip(pair.outputs, engine.run(pair.tensor_hwc), strict=True):
                assert ran == pytest.approx(stored, abs=1e-4)


def test_a_users_pictures_become_the_reference_frames(tmp_path: Path) -> None:
    files = []
    for seed in (40, 41, 42):
        files.append(tmp_path / f"{seed}.png")
        cv2.imwrite(str(files[-1]), scene((64, 96), seed=seed))
    bundle = load_bundle(import_model(models.save(models.yolox(), tmp_path), tmp_path / "b", pictures=files))
    assert bundle.card.reference is not None
    assert bundle.card.reference.samples == 3
    for pair, seed in zip(read_reference(bundle), (40, 41, 42), strict=True):
        assert np.array_equal(pair.tensor_hwc, scene((64, 96), seed=seed))


def test_an_import_replaces_a_bundle_and_nothing_else(tmp_path: Path) -> None:
    file = models.save(models.yolox(), tmp_path)
    first = load_bundle(import_model(file, tmp_path / "b"))
    again = load_bundle(import_model(file, tmp_path / "b"))
    assert again.digest == first.digest, "the same file gives the same bundle"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("precious")
    with pytest.raises(BundleError, match="exists and is not a bundle; pass another --output"):
        import_model(file, tmp_path / "mine")
    assert (tmp_path / "mine/thesis.txt").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "mine", "tiny.onnx"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match=r"cannot be written: .*; pass another --output"):
        import_model(models.save(models.yolox(), tmp_path), tmp_path / "file/b")


def test_a_name_that_no_card_may_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"\$\.name"):
        import_model(models.save(models.yolox(), tmp_path), tmp_path / "b", name="../x")


def test_a_fold_that_changes_what_is_seen_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the comparison a wrong fold would go unseen."""
    import dataclasses

    from vigie_devkit.models import importer

    honest = importer.fold_input
    monkeypatch.setattr(
        importer,
        "fold_input",
        lambda model, feed, **more: honest(model, dataclasses.replace(feed, channels="rgb"), **more),
    )
    with pytest.raises(ModelParityError, match="detections of the original graph have no counterpart"):
        import_model(models.save(models.yolox(), tmp_path), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_the_commands_import_list_inspect_verify_and_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    file = models.save(models.yolox(), tmp_path, "best model.onnx")

    assert main(["models", "import", str(file)]) == 0
    assert "next       ./vigie up --model" in capsys.readouterr().out
    assert main(["models", "list"]) == 0
    assert "best-model               detection      yolox      64x96    3 classes  fp32" in capsys.readouterr().out
    assert main(["models", "inspect", str(file)]) == 0
    assert "yolox (one output [1,126,5+3] over strides 8, 16, 32, raw centres)" in capsys.readouterr().out
    assert main(["models", "inspect", "best-model"]) == 0
    assert "labels     3 (numbered): class-0, class-1, class-2" in capsys.readouterr().out
    assert main(["models", "verify", "best-model"]) == 0
    assert "every sha256 as stated" in capsys.readouterr().out
    assert main(["models", "export", "best-model", "--output", str(tmp_path / "b.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert archive.namelist() == ["best-model/card.yaml", "best-model/fp32.onnx", "best-model/reference.npz"]
    assert main(["models", "verify", "nothing"]) != 0
    assert "is neither a bundle folder nor one of these names: best-model" in capsys.readouterr().err


def test_verify_finds_a_file_that_was_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = import_model(models.save(models.yolox(), tmp_path), tmp_path / "b")
    (folder / "fp32.onnx").write_bytes((folder / "fp32.onnx").read_bytes() + b"\0")
    assert main(["models", "verify", str(folder)]) != 0
    assert "fp32.onnx: sha256 is" in capsys.readouterr().err


def test_verify_finds_a_model_that_answers_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bundle whose card and checksums are in order, and whose reference frames another model answered."""
    folder = import_model(models.save(models.yolox(), tmp_path), tmp_path / "b")
    other = import_model(models.save(models.yolox(decoded=True), tmp_path, "other.onnx"), tmp_path / "c")
    (folder / "reference.npz").write_bytes((other / "reference.npz").read_bytes())
    foreign = load_bundle(other).card.reference
    mixed = msgspec.structs.replace(
        load_bundle_unverified(folder), reference=msgspec.structs.replace(foreign, variant="fp32")
    )
    (folder / "card.yaml").write_bytes(write_card(mixed))
    assert main(["models", "verify", str(folder)]) != 0
    assert "have no counterpart" in capsys.readouterr().err


def load_bundle_unverified(folder: Path) -> Card:
    return read_card((folder / "card.yaml").read_bytes(), where="card.yaml")


def test_a_saturated_crowd_passes_where_only_the_order_differs() -> None:
    """Hundreds of equal scores and a list that holds 20: which are in it is rounding, not a fault."""
    rng = np.random.default_rng(3)
    rows = np.concatenate((rng.uniform(0, 30, (40, 2)), rng.uniform(31, 60, (40, 2)), np.ones((40, 1))), axis=1)
    rows = np.concatenate((rows, rng.integers(0, 3, (40, 1))), axis=1).astype(np.float32)
    card = models.make_card("end2end", [(1, 20, 6)])
    decoder = make_decoder(card)
    left, right = rows[None, :20], rows[None, 20:]
    require_same(card, decoder, Answers(flat=False, original=[left], folded=[right]), SINGLE)
    left[0, :5, 4] = 1.5
    with pytest.raises(ModelParityError, match="5 of 5 detections of the original graph have no counterpart"):
        require_same(card, decoder, Answers(flat=False, original=[left], folded=[right]), SINGLE)
