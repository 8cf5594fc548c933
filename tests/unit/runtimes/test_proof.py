"""Verdicts, from what was assigned and what a profiler saw."""

from __future__ import annotations

from typing import Any

import pytest

from vigie.runtimes.engines.onnxruntime_proof import RunProfile, read_profile
from vigie.runtimes.engines.openvino_proof import ExecutedLayer, judge_layers
from vigie.runtimes.engines.proof_rules import judge
from vigie.runtimes.proof import Proof

CPU, CUDA, QNN, TRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "QNN", "Tensorrt"))


def profile(
    time_us: dict[str, int], *, integer: int = 0, heavy_integer: int = 0, heavy_float: int = 4, opaque: bool = False
) -> RunProfile:
    return RunProfile(time_us, {"Resize": time_us.get(CPU, 0)}, integer, heavy_integer, heavy_float, opaque)


def verdict(
    provider: str,
    assigned: dict[str, dict[str, int]],
    seen: RunProfile | None,
    *,
    precision: str = "fp32",
    emulated: bool = False,
) -> Proof:
    return judge(asked="k", provider=provider, precision=precision, emulated=emulated, assigned=assigned, profile=seen)


MIXED = profile({CPU: 100}, integer=5, heavy_integer=3, heavy_float=1)


@pytest.mark.parametrize(
    ("proof", "expected", "said"),
    [
        (verdict(CPU, {CPU: {"Conv": 4}}, profile({CPU: 100})), "full", "everything that takes time ran on CPU"),
        (
            verdict(CPU, {CPU: {"Conv": 4}}, MIXED, precision="int8"),
            "full",
            "3 of 4 convolutions and matrix products in integers",
        ),
        (verdict(CPU, {CPU: {"Conv": 4}}, profile({CPU: 100}), precision="int8"), "partial", "all 4 convolutions"),
        (verdict(CUDA, {CUDA: {"Conv": 4}}, profile({CUDA: 100})), "full", "ran on CUDA"),
        (
            verdict(CUDA, {CUDA: {"Conv": 4}, CPU: {"Resize": 1}}, profile({CUDA: 96, CPU: 4})),
            "full",
            "everything that takes time",
        ),
        (
            verdict(CUDA, {CUDA: {"Conv": 4}, CPU: {"Resize": 1}}, profile({CUDA: 50, CPU: 50})),
            "partial",
            "50% of the time went to the CPU, most of it to Resize",
        ),
        (verdict(TRT, {CPU: {"Conv": 4}}, profile({CPU: 100})), "none", "no node ran on Tensorrt"),
        (verdict(TRT, {}, profile({CPU: 100})), "none", "no node ran on Tensorrt"),
        (verdict(TRT, {}, profile({TRT: 100}, opaque=True), precision="int8"), "full", "ran on Tensorrt"),
        (
            verdict(QNN, {QNN: {"Conv": 9}, CPU: {"Cast": 1}}, profile({QNN: 100}, opaque=True), emulated=True),
            "emulated",
            "its speed says nothing",
        ),
        (
            verdict(QNN, {QNN: {"Conv": 9}, CPU: {"Slice": 4}}, profile({QNN: 10**6, CPU: 1}), emulated=True),
            "partial",
            "4 nodes stay on the CPU: Slice",
        ),
        (verdict(CUDA, {CUDA: {"Conv": 4}}, None), "full", "nothing was profiled"),
        (verdict(CUDA, {CUDA: {"Conv": 4}, CPU: {"NonZero": 2}}, None), "partial", "2 nodes stay on the CPU: NonZero"),
    ],
)  # fmt: skip
def test_the_verdict_and_its_reason(proof: Proof, expected: str, said: str) -> None:
    assert proof.verdict == expected
    assert said in proof.reason
    assert bool(proof.remedy) == (expected in {"partial", "none"})


def test_what_cannot_be_known_is_none_and_not_zero() -> None:
    blind = verdict(QNN, {QNN: {"Conv": 9}}, profile({QNN: 100}, opaque=True))
    assert blind.integer_kernels is None
    assert verdict(CUDA, {CUDA: {"Conv": 4}}, None).cpu_time_share is None
    assert verdict(CUDA, {CUDA: {"Conv": 4}}, profile({CUDA: 75, CPU: 25})).cpu_time_share == 0.25


def node(name: str, provider: str, operator: str, duration: int, number_type: str = "float") -> dict[str, Any]:
    facts = {"provider": provider, "op_name": operator, "input_type_shape": [{number_type: [1]}]}
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": duration, "args": facts}


def test_a_profile_counts_a_kernel_once_and_its_time_each_run() -> None:
    events = [
        {"cat": "Session", "name": "model_run", "dur": 999, "args": {}},
        *[node("a", CPU, "QLinearConv", 10, "uint8"), node("b", CPU, "QLinearConcat", 1, "uint8")] * 3,
        node("c", CPU, "Conv", 5),
        node("d", CPU, "Conv", 5, "uint8"),
        node("e", CUDA, "MatMul", 7),
    ]
    seen = read_profile(events)
    assert (seen.integer, seen.heavy_integer, seen.heavy_float, seen.opaque) == (3, 2, 2, False)
    assert seen.time_us == {CPU: 43, CUDA: 7}
    assert seen.cpu_time_us["QLinearConv"] == 30


@pytest.mark.parametrize(
    ("provider", "operator"),
    [(QNN, "QNN_17368456315817717757_1"), (QNN, "EPContext"), (TRT, "TensorrtExecutionProvider_TRTKernel_graph_7_0")],
)
def test_a_fused_subgraph_hides_its_kernels(provider: str, operator: str) -> None:
    assert read_profile([node("x", provider, operator, 5)]).opaque


LAYERS = (
    ExecutedLayer("Convolution", "u8", "jit_I8"),
    ExecutedLayer("Convolution", "f32", "brg_f32"),
    ExecutedLayer("Transpose", "u8", "jit"),
)


@pytest.mark.parametrize(
    ("device", "ran_on", "layers", "expected", "said"),
    [
        ("CPU", ["CPU"], LAYERS, "full", "1 in u8, 1 in f32"),
        ("GPU", ["GPU.0"], LAYERS, "full", "compiled for GPU.0"),
        ("CPU", ["CPU"], LAYERS[1:], "partial", "all 1 convolutions and matrix products run in float"),
        ("NPU", ["NPU"], (), "full", "does not tell its layers"),
        ("NPU", ["CPU"], LAYERS, "none", "NPU was asked for, it runs on CPU"),
        ("GPU", [], (), "none", "it runs on nowhere"),
    ],
)
def test_openvino_s_layers_are_judged(
    device: str, ran_on: list[str], layers: tuple[ExecutedLayer, ...], expected: str, said: str
) -> None:
    proof = judge_layers(
        asked="k", device=device, provider=f"OpenVINO:{device}", precision="int8", ran_on=ran_on, layers=layers
    )
    assert proof.verdict == expected
    assert said in proof.reason
    assert proof.cpu_time_share == (1.0 if ran_on == ["CPU"] else None)
