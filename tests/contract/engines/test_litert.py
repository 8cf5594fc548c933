"""LiteRT: .tflite variants beside ONNX ones, fed and read as a trial on the reference frames found out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.engines import needs
from support.tflite_bundles import attached, onnx_bundle
from vigie.errors import BundleError, EngineError, ModelFileError
from vigie.models import Bundle, load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes import Candidate, open_engine
from vigie.runtimes.choosing.candidates import candidates
from vigie.runtimes.engines.opening import open_to_serve
from vigie.runtimes.hardware import probe
from vigie_devkit.__main__ import main

pytestmark = needs("litert")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return onnx_bundle(tmp_path_factory.mktemp("litert"))


def candidate(variant: str, threads: int = 1, **options: str) -> Candidate:
    return Candidate("litert", "litert", "CPU", variant, threads, options)


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("unit_boxes", [False, True])
def test_how_a_file_is_fed_and_read_is_found_by_trial(
    bundle: Bundle, tmp_path: Path, channels: str, unit_boxes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = attached(bundle, tmp_path, channels=channels, unit_boxes=unit_boxes)
    assert code == 0, capsys.readouterr().err
    assert found is not None
    adapter = found.card.variants["tflite-fp32"].adapter
    assert adapter is not None
    assert (adapter.channels, adapter.std) == (channels, (255.0, 255.0, 255.0))
    assert [(one.index, one.transposed, one.unit_boxes) for one in adapter.outputs] == [(0, True, unit_boxes)]
    said = capsys.readouterr().out
    assert f"channels {channels}, range 0..1" in said
    for pair in read_reference(found):
        with open_engine(found, candidate("tflite-fp32")) as engine:
            for mine, theirs in zip(engine.run(pair.tensor_hwc), pair.outputs, strict=True):
                np.testing.assert_allclose(mine, theirs, atol=2e-3)


def test_an_integer_file_is_fed_by_its_own_scale_and_proven_as_int8(bundle: Bundle, tmp_path: Path) -> None:
    code, found = attached(bundle, tmp_path, int8=True)
    assert code == 0
    assert found is not None
    facts = found.card.variants["tflite-int8"]
    assert (facts.precision, facts.format, facts.opset) == ("int8", "tflite", None)
    assert (facts.form, facts.activations, facts.weights) == ("tflite", "s8", "s8")
    assert (facts.symmetric, facts.per_channel) == (False, True)  # its input stores 0 as -128
    with open_engine(found, candidate("tflite-int8")) as engine:
        proof = engine.prove()
        assert (proof.verdict, engine.provider) == ("full", "LiteRT:CPU")
        assert proof.integer_kernels
        assert "XNNPACK runs" in proof.reason


def test_a_file_whose_weights_alone_are_integers_says_so(bundle: Bundle, tmp_path: Path) -> None:
    _, found = attached(bundle, tmp_path, weights_only=True)
    assert found is not None
    facts = found.card.variants["tflite-int8"]
    assert (facts.form, facts.activations, facts.weights) == ("tflite", "float", "s8")
    assert (facts.symmetric, facts.per_channel) == (None, True)
    with open_engine(found, candidate("tflite-int8")) as engine:
        proof = engine.prove()
    assert proof.verdict == "partial"
    assert proof.reason == "only its weights are in 8 bits: activations are float, and so may be the kernels"


def test_a_float_file_is_of_the_form_float(bundle: Bundle, tmp_path: Path) -> None:
    _, found = attached(bundle, tmp_path)
    assert found is not None
    facts = found.card.variants["tflite-fp32"]
    assert (facts.precision, facts.form, facts.activations, facts.weights) == ("fp32", "float", "float", "float")
    assert facts.symmetric is facts.per_channel is None


def test_without_xnnpack_its_own_kernels_answer_the_same_and_say_so(bundle: Bundle, tmp_path: Path) -> None:
    _, found = attached(bundle, tmp_path)
    assert found is not None
    tensor = read_reference(found)[0].tensor_hwc
    with (
        open_engine(found, candidate("tflite-fp32")) as quick,
        open_engine(found, candidate("tflite-fp32", xnnpack="0")) as plain,
    ):
        np.testing.assert_allclose(quick.run(tensor)[0], plain.run(tensor)[0], atol=1e-3)
        assert "CONV_2D" in plain.prove().reason
        assert "CONV_2D" not in quick.prove().reason


def test_another_model_is_refused_with_the_nearest_way(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from support import tflite_models as twin

    file = tmp_path / "other.tflite"
    file.write_bytes(twin.as_tflite(twin.Weights.drawn(seed=99)))
    code = main(["models", "attach", str(bundle.folder), str(file), "--output", str(tmp_path / "out")])
    assert code != 0
    assert "does not answer as the bundle does, however it is fed; nearest: channels" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a .tflite file"),
        (b"\x08\x08onnx file", "is not a .tflite file"),
        (b"\x1c\0\0\0TFL3" + b"\0" * 64, "LiteRT refuses it"),
    ],
)
def test_what_is_not_a_whole_tflite_file_is_refused(
    bundle: Bundle, tmp_path: Path, content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "broken.tflite"
    file.write_bytes(content)
    assert main(["models", "attach", str(bundle.folder), str(file), "--output", str(tmp_path / "out")]) != 0
    assert said in capsys.readouterr().err


def test_a_device_measures_it_beside_the_onnx_variant_in_a_process_of_its_own(bundle: Bundle, tmp_path: Path) -> None:
    _, found = attached(bundle, tmp_path)
    assert found is not None
    offered, rejected = candidates(probe(), found.card)
    keys = {one.key for one in offered}
    assert {"cpu/fp32/1t", "litert/tflite-fp32/1t"} <= keys
    assert not [key for key in keys if key.startswith(("cpu/tflite", "litert/fp32"))]
    assert [one.reason for one in candidates(probe(), bundle.card)[1] if one.provider == "litert"] == [
        "this bundle has no .tflite variant"
    ]
    assert not [one for one in rejected if one.provider == "litert"]
    with open_to_serve(found, candidate("tflite-fp32")) as engine:
        assert type(engine).__name__ == "IsolatedEngine"
        pair = read_reference(found)[0]
        np.testing.assert_allclose(engine.run(pair.tensor_hwc)[0], pair.outputs[0], atol=2e-3)


def test_models_bench_measures_both_and_judges_both_by_the_reference(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = attached(bundle, tmp_path)
    assert found is not None
    capsys.readouterr()
    assert main(["models", "bench", str(found.folder), "--processes", "1", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    text = json.dumps(table)
    assert "litert/tflite-fp32/1t" in text
    assert "cpu/fp32/1t" in text


def test_a_file_that_was_replaced_or_has_no_adapter_never_runs(bundle: Bundle, tmp_path: Path) -> None:
    _, found = attached(bundle, tmp_path)
    assert found is not None
    with pytest.raises(EngineError, match=r"not a \.tflite variant"):
        open_engine(found, candidate("fp32"))
    other = tmp_path / "replaced"
    shutil.copytree(found.folder, other)
    copy = load_bundle(other)
    (other / "tflite-fp32.tflite").write_bytes(b"\x1c\0\0\0TFL3 something else")
    with pytest.raises(BundleError):
        open_engine(copy, candidate("tflite-fp32"))


def test_a_name_that_is_taken_is_refused(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = attached(bundle, tmp_path, "--name", "fp32")
    assert code != 0
    assert "has a variant 'fp32' already" in capsys.readouterr().err
    assert issubclass(ModelFileError, Exception)
