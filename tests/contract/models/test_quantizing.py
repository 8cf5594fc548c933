"""``models quantize`` and ``models compare`` on real small networks: a detector, a classifier, faces."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import msgspec
import numpy as np
import onnx
import pytest

from support import models
from support.trained import (
    SHAPES,
    face_detector,
    face_picture,
    product_classifier,
    shape_classifier,
    write_class_folders,
)
from vigie.models import load_bundle
from vigie.models.reference import read_reference
from vigie_devkit.cli import main
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.verify import verify_bundle
from vigie_devkit.quantize.report import Report

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    file = models.save(shape_classifier(), folder, "shapes.onnx")
    return import_model(file, folder / "bundle", labels=list(SHAPES), feed=input_fields("rgb/imagenet"))


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    return import_model(models.save(face_detector(), folder, "faces.onnx"), folder / "bundle", family="ultraface")


@pytest.fixture(scope="module")
def face_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(4)
    for index in range(32):
        cv2.imwrite(str(folder / f"{index:02}.png"), face_picture(rng, 1 + index % 3))
    return folder


def read(output: Path) -> Report:
    return msgspec.json.decode((output.with_name(f"{output.name}.report") / "report.json").read_bytes(), type=Report)


def test_a_classifier_is_quantized_by_its_own_measure(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = write_class_folders(tmp_path / "pictures", 20)
    output = tmp_path / "out"
    arguments = ["--for", "all", "--frames", "24", "--judge-frames", "48", "--rounds", "1", "--max-drop", "5"]
    # Milliseconds of a toy network say nothing of speed: what is asserted is what does not depend on it.
    code = main(["models", "quantize", str(shapes), "--calibrate", str(pictures), *arguments, "--output", str(output)])
    assert code == 0, capsys.readouterr()
    report = read(output)
    assert report.labelled
    assert report.metric == "top1"
    assert {"top1", "top5", "agreement top1"} <= set(report.variants[0].figures)
    bundle = load_bundle(output)
    assert bundle.variants[0] == "fp32"
    for name in bundle.variants[1:]:
        facts = bundle.card.variants[name]
        row = report.variant(name)
        assert row.verdict == "shipped"
        assert row.figures["top1"] >= report.variants[0].figures["top1"] - 0.05
        assert facts.parity is not None
        assert facts.parity.metric == "top1"
        assert facts.targets == row.targets
    assert "a16w8" in {name.removesuffix("-mixed") for name in bundle.variants}
    (left_out,) = report.left_out
    assert left_out.startswith("int8-dynamic is not made: ")
    assert "of the multiply-adds are in MatMul or Gemm, 50% are needed; of convolutions" in left_out
    assert left_out in capsys.readouterr().out
    assert not any(one.name.startswith("int8-dynamic") for one in report.variants)
    assert len(list(verify_bundle(output))) == 1 + len(bundle.variants)


def test_a_network_of_matrix_products_gets_a_dynamic_variant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = import_model(
        models.save(product_classifier(), tmp_path, "products.onnx"),
        tmp_path / "bundle",
        labels=list(SHAPES),
        feed=input_fields("rgb/imagenet"),
    )
    pictures = write_class_folders(tmp_path / "pictures", 20)
    output = tmp_path / "out"
    # On either kind of CPU the other one is not here, so that the times of a toy network decide nothing.
    arguments = ["--for", "cpu-x86,cpu-arm", "--frames", "16", "--judge-frames", "48", "--rounds", "1", "--max-drop"]
    arguments += ["5", "--calibrate", str(pictures), "--output", str(output)]
    code = main(["models", "quantize", str(shapes), *arguments])
    said = capsys.readouterr().out
    assert code == 0, said
    report = read(output)
    assert report.left_out == ()
    assert report.variants[0].figures["top1"] > 0.6, "a classifier that sees something"
    row = report.variant("int8-dynamic")
    assert row.verdict == "shipped", row.reason
    assert row.integer_share == 1.0
    assert row.size_bytes < 0.5 * report.variants[0].size_bytes
    assert row.figures["top1"] >= report.variants[0].figures["top1"] - 0.05
    assert "the speed of fp32 with 1 thread" in row.reason
    bundle = load_bundle(output)
    facts = bundle.card.variants["int8-dynamic"]
    assert (facts.precision, facts.form, facts.activations, facts.weights) == ("int8", "qoperator", "u8", "s8")
    assert facts.calibration is None, "nothing was calibrated"
    assert set(facts.cpus) == {"x86-avx2", "x86-vnni", "arm64"}
    assert set(facts.targets) == set(row.targets) <= {"cpu-x86", "cpu-arm"}
    kinds = [node.op_type for node in onnx.load(str(bundle.variant("int8-dynamic").file)).graph.node]
    assert kinds.count("MatMulInteger") == 3
    assert not {"MatMul", "Gemm", "ConvInteger"} & set(kinds)
    assert len(list(verify_bundle(output))) == 1 + len(bundle.variants)


def test_faces_are_quantized_by_agreement_and_the_report_can_be_read(
    faces: Path, face_pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    arguments = ["--for", "cpu-arm,tensorrt,gpu", "--frames", "16", "--judge-frames", "16", "--rounds", "1"]
    arguments += ["--min-agreement", "0.6"]
    code = main(
        ["models", "quantize", str(faces), "--calibrate", str(face_pictures), *arguments, "--output", str(output)]
    )
    said = capsys.readouterr()
    assert code == 0, said
    report = read(output)
    assert not report.labelled
    assert report.metric == "agreement f1"
    assert set(report.tail), "the tail is told"
    assert {layer.name for layer in report.layers if layer.depthwise}, "depthwise layers are told"
    bundle = load_bundle(output)
    assert bundle.card.reference is not None
    assert bundle.card.reference.samples == len(read_reference(bundle)) == 4
    page = (output.with_name("out.report") / "report.html").read_text()
    assert page.count("<svg") >= 4
    assert "data:image/jpeg;base64," in page
    for name in bundle.variants:
        assert name in page
        assert name in said.out
    assert len(list(verify_bundle(output))) == 1 + len(bundle.variants)


def test_what_loses_too_much_is_refused_with_its_curve_and_nothing_is_written(
    faces: Path,
    face_pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from vigie_devkit.quantize import search

    # Whatever is tried, less than all in integers counts as too little: so the full network must do, and cannot.
    monkeypatch.setattr(search, "INTEGER_SHARE_MIN", 0.999)
    output = tmp_path / "out"
    arguments = ["--for", "cpu-arm", "--frames", "16", "--judge-frames", "16", "--rounds", "1", "--min-agreement", "1"]
    monkeypatch.setattr("vigie_devkit.quantize.variants.RETRIES", 0)
    code = main(
        ["models", "quantize", str(faces), "--calibrate", str(face_pictures), *arguments, "--output", str(output)]
    )
    said = capsys.readouterr().out
    (variant,) = (one for one in read(output).variants if one.verdict != "kept")
    if variant.verdict == "refused":
        assert code == 1
        assert not output.exists()
        assert "less accurate than allowed: agreement f1" in said
        assert "curve" in said
        assert variant.curve[0].size_bytes
        assert variant.curve[0].cpu_ms
    else:
        assert variant.figures["agreement f1"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--calibrate", "nowhere.mp4"], 3, "calibration source 'nowhere.mp4': does not exist"),
        (["--calibrate", "{blank}"], 3, "frames are blank (one colour)"),
        (["--calibrate", "{blank}", "--for", "cpu-x68"], 2, "unknown cpu-x68"),
        (["--calibrate", "{blank}", "--max-drop", "-1"], 2, "expected a number 0..100"),
        (["--calibrate", "{faces}", "--encodings", "none.json"], 3, "quantization of 'none.json': cannot be read"),
    ],
    ids=["missing", "blank", "target", "drop", "encodings"],
)
def test_bad_input_is_one_sentence(
    faces: Path,
    face_pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    (tmp_path / "blank").mkdir()
    for index in range(40):
        cv2.imwrite(str(tmp_path / f"blank/{index}.png"), np.full((120, 160, 3), index, np.uint8))
    filled = [one.format(blank=tmp_path / "blank", faces=face_pictures) for one in arguments]
    try:
        result = main(["models", "quantize", str(faces), *filled, "--output", str(tmp_path / "out")])
    except SystemExit as left:
        result = left.code
    told = capsys.readouterr()
    assert result == code
    assert said in told.err + told.out
    assert "Traceback" not in told.err
    assert not (tmp_path / "out").exists()


def test_the_shipped_detector_agrees_with_itself_and_pictures_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = str(CHECKOUT / "shared/models/conveyor-parts")
    arguments = ["--on", "synthetic://conveyor?seed=77", "--frames", "3", "--json", "--output", str(tmp_path / "p")]
    assert main(["models", "compare", name, name, *arguments]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["agreement_f1"] == 1.0
    assert facts["frames"] == 3
    assert facts["matched"] > 5
    assert (facts["missing"], facts["new"], facts["flips"], facts["frames_that_differ"]) == (0, 0, 0, 0)
    assert sorted(path.name for path in tmp_path.glob("p/*")) == [f"agreement-{number}.jpg" for number in (1, 2, 3)]


def test_models_that_differ_are_told_apart(
    faces: Path, tmp_path: Path, face_pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = face_detector()
    weight = next(one for one in other.graph.initializer if list(one.dims) == [1])
    weight.CopyFrom(type(weight).FromString(_with_bias(weight, -9.0).SerializeToString()))
    stern = import_model(models.save(other, tmp_path, "stern.onnx"), tmp_path / "stern", family="ultraface")
    arguments = ["--on", str(face_pictures), "--frames", "12", "--output", str(tmp_path / "p")]
    assert main(["models", "compare", str(faces), str(stern), *arguments]) == 0
    said = capsys.readouterr().out
    assert "missing" in said
    assert sorted(tmp_path.glob("p/difference-*.jpg"))


def _with_bias(tensor: object, value: float) -> object:
    return onnx.numpy_helper.from_array(np.array([value], np.float32), tensor.name)  # type: ignore[attr-defined]


def test_what_an_interrupted_run_had_built_is_taken_up_again(
    faces: Path,
    face_pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run ends after its variants are built: its bundle cannot be written where a file lies."""
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    (tmp_path / "file").write_text("in the way")
    words = ["models", "quantize", str(faces), "--calibrate", str(face_pictures), "--for", "cpu-arm,gpu"]
    words += ["--frames", "8", "--judge-frames", "16", "--rounds", "1"]
    assert main([*words, "--output", str(tmp_path / "file/out")]) != 0
    assert "built before" not in capsys.readouterr().err

    code = main([*words, "--output", str(tmp_path / "out")])
    said = capsys.readouterr().err
    assert code == 0, said
    assert "int8-s8s8 for cpu-arm: built before the interruption" in said
    assert "fp16 for gpu: built before the interruption" in said
    assert "calibration methods" not in said, "nothing is searched again"
    assert read(tmp_path / "out").layers, "the report still tells of every layer"

    assert main([*words, "--output", str(tmp_path / "again")]) == 0
    assert "built before" not in capsys.readouterr().err, "a finished run leaves nothing behind"
