"""Three real families on the shipped detector: opened, run, compared with the reference, and made to prove what ran."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest

from support.checkout import ROOT
from support.engines import needs
from support.quantized import conveyor_frames, with_quantized
from vigie.errors import EngineError, ProviderError, ProviderOptionError
from vigie.models import Bundle, load_bundle
from vigie.models.reference import ReferencePair, read_reference
from vigie.runtimes import Candidate, Engine, EngineSettings, Proof, open_engine
from vigie.runtimes.engines.onnxruntime_session import open_session, plan_session
from vigie.runtimes.runtime_libraries import import_onnxruntime

# An emulated run takes 5 to 15 s on one idle core of 2026, several times that on a busy machine.
EMULATED_TIMEOUT_S = 1500


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    shipped = load_bundle(ROOT / "shared/models/conveyor-parts")
    folder = tmp_path_factory.mktemp("bundles") / "conveyor"
    return with_quantized(shipped, folder, ["int8-u8s8", "a16w8"], conveyor_frames(shipped, 4))


@pytest.fixture(scope="module")
def reference(bundle: Bundle) -> ReferencePair:
    return read_reference(bundle)[0]


def cosine(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    one, other = first.ravel().astype(np.float64), second.ravel().astype(np.float64)
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def convolutions(bundle: Bundle) -> int:
    """Of the float file: what a quantized variant should compute in integers."""
    graph = onnx.load(bundle.variant("fp32").file).graph
    return sum(node.op_type == "Conv" for node in graph.node)


def likeness(engine: Engine, reference: ReferencePair) -> float:
    return cosine(engine.run(reference.tensor_hwc)[0], reference.outputs[0])


def cpu(variant: str, **options: str) -> Candidate:
    return Candidate("onnxruntime", "cpu", "CPU", variant, 1, options)


def openvino(variant: str) -> Candidate:
    return Candidate("openvino", "openvino", "CPU", variant, 1)


def htp(variant: str, **options: str) -> Candidate:
    return Candidate("onnxruntime", "qnn-htp", "HTP", variant, 1, options)


# -- ONNX Runtime on the CPU ------------------------------------------------------------------------------------------


def test_the_cpu_runs_fp32_to_the_reference_s_numbers_and_proves_it(bundle: Bundle, reference: ReferencePair) -> None:
    with open_engine(bundle, cpu("fp32")) as engine:
        # Other kernels sum in another order than the reference's BASIC optimisation.
        assert engine.run(reference.tensor_hwc)[0] == pytest.approx(reference.outputs[0], abs=2e-3)
        proof = engine.prove()
        assert (proof.verdict, proof.asked, proof.cpu_time_share, proof.integer_kernels) == (
            "full",
            "cpu/fp32/1t",
            1.0,
            0,
        )
        assert set(proof.placed) == {"CPUExecutionProvider"}
        assert likeness(engine, reference) > 0.99999, "the engine stays usable after its proof"


def test_the_cpu_runs_int8_in_integers_which_qdq_nodes_alone_would_not_show(
    bundle: Bundle, reference: ReferencePair
) -> None:
    with open_engine(bundle, cpu("int8-u8s8")) as engine:
        assert likeness(engine, reference) > 0.99
        proof = engine.prove()
        assert proof.verdict == "full"
        assert proof.integer_kernels is not None
        count = convolutions(bundle)
        assert proof.integer_kernels >= count, "every convolution"
        assert f"{count} of {count} convolutions and matrix products in integers" in proof.reason


def test_the_cpu_computes_sixteen_bit_activations_in_float_and_the_proof_says_so(bundle: Bundle) -> None:
    with open_engine(bundle, cpu("a16w8")) as engine:
        proof = engine.prove()
        assert (proof.verdict, proof.integer_kernels) == ("partial", 0)
        count = convolutions(bundle)
        assert proof.reason == f"a16w8 was asked for, and all {count} convolutions and matrix products ran in float"
        assert "8-bit activations" in proof.remedy


def test_an_option_of_the_session_takes_effect(bundle: Bundle, reference: ReferencePair) -> None:
    """u8 weights are other kernels: where the CPU adds in 16 bits the numbers change, elsewhere they stay."""
    with open_engine(bundle, cpu("int8-u8s8", **{"session.x64quantprecision": "1"})) as engine:
        assert likeness(engine, reference) > 0.99
        assert engine.candidate.key == "cpu/int8-u8s8/1t+session.x64quantprecision=1"


# -- OpenVINO ---------------------------------------------------------------------------------------------------------


@needs("openvino")
def test_openvino_runs_fp32_in_f32_to_the_reference_s_numbers(bundle: Bundle, reference: ReferencePair) -> None:
    with open_engine(bundle, openvino("fp32")) as engine:
        assert (engine.provider, engine.threads) == ("OpenVINO:CPU", 1)
        assert engine.run(reference.tensor_hwc)[0] == pytest.approx(reference.outputs[0], abs=2e-3)
        assert engine.run(reference.tensor_hwc)[0] is engine.run(reference.tensor_hwc)[0]
        proof = engine.prove()
        assert (proof.verdict, proof.precisions, proof.cpu_time_share) == ("full", {"f32": convolutions(bundle)}, 1.0)
        assert list(engine.placement()) == ["OpenVINO:CPU"]


@needs("openvino")
def test_openvino_runs_int8_in_integers(bundle: Bundle, reference: ReferencePair) -> None:
    with open_engine(bundle, openvino("int8-u8s8")) as engine:
        assert likeness(engine, reference) > 0.99
        proof = engine.prove()
        assert proof.verdict == "full"
        assert proof.integer_kernels is not None
        assert proof.integer_kernels >= 0.8 * convolutions(bundle), "the first one reads the picture and stays in float"
        assert sum(proof.precisions.values()) == convolutions(bundle)


@needs("openvino")
def test_a_device_that_openvino_does_not_see_is_an_error_and_never_the_cpu(bundle: Bundle) -> None:
    with pytest.raises(ProviderError, match=r"OpenVINO sees no NPU here \(it sees: CPU.*\); see: ./vigie doctor, or "):
        open_engine(bundle, Candidate("openvino", "openvino", "NPU", "fp32", 1))
    with pytest.raises(ProviderError, match=r"openvino has no device 'AUTO'; it has CPU, GPU, NPU"):
        open_engine(bundle, Candidate("openvino", "openvino", "AUTO", "fp32", 1))


@needs("openvino")
def test_openvino_says_in_one_line_what_it_refuses(bundle: Bundle, tmp_path: Path) -> None:
    spoilt = with_quantized(bundle, tmp_path / "b", [], [])
    rubbish = b"\x0a\x07rubbish"  # a message, and no model
    spoilt.variant("fp32").file.write_bytes(rubbish)
    variant = msgspec.structs.replace(spoilt.card.variants["fp32"], sha256=hashlib.sha256(rubbish).hexdigest())
    spoilt = Bundle(spoilt.folder, msgspec.structs.replace(spoilt.card, variants={"fp32": variant}), "")
    with pytest.raises(EngineError, match=r"^model 'conveyor-parts/fp32': OpenVINO refuses it: ") as refused:
        open_engine(spoilt, openvino("fp32"))
    assert "\n" not in str(refused.value)


@needs("openvino")
def test_openvino_starts_no_telemetry(tmp_path: Path) -> None:
    """Its sender would keep an id below ~/intel at the first import."""
    code = (
        "from vigie.runtimes.runtime_libraries import import_openvino; print(import_openvino().__version__)\n"
        "import sys; assert sys.modules.get('openvino_telemetry') is None"
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("2026.")
    assert list(tmp_path.iterdir()) == []


# -- Qualcomm's HTP, emulated -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compiled(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Path]]:
    """The 16-bit variant, compiled ahead of time into a folder and loaded from there; not a node on the CPU."""
    folder = tmp_path_factory.mktemp("compiled")
    settings = EngineSettings(cache=folder, strict=True)
    with open_engine(bundle, htp("a16w8"), settings=settings) as engine:
        yield engine, folder


@needs("qnn")
@pytest.mark.timeout(EMULATED_TIMEOUT_S)
def test_the_htp_takes_the_sixteen_bit_variant_and_agrees_with_the_reference(
    compiled: tuple[Engine, Path], reference: ReferencePair
) -> None:
    engine, _ = compiled
    assert engine.provider == "QNNExecutionProvider"
    # Measured 0.9991 on 2026-11-25 (0.9998 with the detector before); eight bits give 0.94.
    assert likeness(engine, reference) > 0.99
    proof: Proof = engine.prove()
    assert (proof.verdict, proof.cpu_time_share) == ("emulated", 0.0)
    assert list(proof.placed) == ["QNNExecutionProvider"]
    assert "its speed says nothing" in proof.reason


@needs("qnn")
@pytest.mark.timeout(EMULATED_TIMEOUT_S)
def test_a_context_made_ahead_of_time_is_loaded_and_a_broken_one_is_made_again(
    compiled: tuple[Engine, Path], bundle: Bundle
) -> None:
    _, folder = compiled
    (context,) = folder.iterdir()
    assert context.name.startswith("qnn-htp-")
    made_at, made = context.stat().st_mtime_ns, context.read_bytes()
    settings = EngineSettings(cache=folder, strict=True)
    with open_engine(bundle, htp("a16w8"), settings=settings) as again:
        assert again.placement() == {"QNNExecutionProvider": 1}, "one node: the compiled graph"
    assert context.stat().st_mtime_ns == made_at, "nothing was compiled a second time"

    context.write_bytes(made[: len(made) // 2])
    with open_engine(bundle, htp("a16w8"), settings=settings) as mended:
        assert mended.placement() == {"QNNExecutionProvider": 1}
    assert list(folder.iterdir()) == [context]
    assert context.stat().st_size > len(made) // 2


@needs("qnn")
def test_what_the_compiled_file_depends_on_names_it(bundle: Bundle, compiled: tuple[Engine, Path]) -> None:
    _, folder = compiled
    before = set(folder.iterdir())
    options = {"htp_graph_finalization_optimization_mode": "1"}
    with open_engine(bundle, htp("a16w8", **options), settings=EngineSettings(cache=folder, strict=True)):
        new = set(folder.iterdir()) - before
        assert len(new) == 1
    for file in new:
        file.unlink()


@needs("qnn")
def test_by_default_the_edges_stay_on_the_cpu_and_strictly_nothing_does(bundle: Bundle) -> None:
    with open_engine(bundle, htp("int8-u8s8")) as engine:
        assert engine.placement()["CPUExecutionProvider"] == 1
    with open_engine(bundle, htp("int8-u8s8"), settings=EngineSettings(strict=True)) as engine:
        assert list(engine.placement()) == ["QNNExecutionProvider"]


@needs("qnn")
def test_the_objective_energy_gives_the_open_session_its_hint_and_a_refused_hint_is_an_error(bundle: Bundle) -> None:
    candidate, settings = htp("int8-u8s8"), EngineSettings(objective="energy")
    runtime = import_onnxruntime()
    plan = plan_session(runtime, bundle, candidate, settings)
    assert plan.options["htp_performance_mode"] == "balanced"
    assert plan.row.hints["energy"] == {"ep.dynamic.workload_type": "Efficient"}
    open_session(runtime, plan)
    broken = msgspec.structs.replace(plan.row, hints={"energy": {"ep.dynamic.workload_type": "Lazy"}})
    with pytest.raises(EngineError, match=r"QNNExecutionProvider refuses \{'ep.dynamic.workload_type': 'Lazy'\}"):
        open_session(runtime, msgspec.structs.replace(plan, row=broken))


@needs("qnn")
def test_a_misspelt_option_or_value_is_refused_where_onnx_runtime_would_say_nothing(bundle: Bundle) -> None:
    with pytest.raises(ProviderOptionError, match="is unknown; did you mean 'htp_performance_mode'"):
        open_engine(bundle, htp("int8-u8s8", htp_perfomance_mode="burst"))
    with pytest.raises(ProviderOptionError, match=r"did you mean 'burst'\?\), got 'brust'"):
        open_engine(bundle, htp("int8-u8s8", htp_performance_mode="brust"))


@needs("qnn")
def test_a_folder_that_cannot_be_written_is_an_error_with_its_remedy(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineError, match="make the folder for compiled models writable"):
        open_engine(bundle, htp("int8-u8s8"), settings=EngineSettings(cache=tmp_path / "file" / "below"))
