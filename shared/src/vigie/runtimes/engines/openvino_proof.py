"""What OpenVINO compiled a model to: the layers it executes and the number type of each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from vigie.runtimes.proof import Proof
from vigie.runtimes.remedy import SEE_DOCTOR

# No work of their own: constants, ends of the graph, and views.
_NO_WORK = {"Const", "Input", "Output", "Parameter", "Result"}
# The GPU plugin writes its kinds in small letters.
_HEAVY = {"convolution", "groupconvolution", "deconvolution", "fullyconnected", "fully_connected", "matmul", "gemm"}
_INTEGER = {"u8", "i8"}


class ExecutedLayer(msgspec.Struct, frozen=True):
    """``kind``: OpenVINO's layer type. ``numbers``: what it computes in (``f32``, ``i8``). ``kernel``: its name."""

    kind: str
    numbers: str
    kernel: str


def executed_layers(compiled: Any) -> tuple[ExecutedLayer, ...]:
    """Layers of the execution graph that do work; empty where a device does not tell (some NPU drivers)."""
    try:
        operations = compiled.get_runtime_model().get_ordered_ops()
    except RuntimeError:
        return ()
    found = []
    for operation in operations:
        facts = operation.get_rt_info()
        layer = ExecutedLayer(*(_fact(facts, name) for name in ("layerType", "runtimePrecision", "primitiveType")))
        if layer.kind and layer.kind not in _NO_WORK and not (layer.kind == "Reshape" and "unknown" in layer.kernel):
            found.append(layer)
    return tuple(found)


def judge_layers(
    *, asked: str, device: str, provider: str, precision: str, ran_on: list[str], layers: tuple[ExecutedLayer, ...]
) -> Proof:
    """The verdict, from the layers. Args: ran_on: OpenVINO's EXECUTION_DEVICES."""
    heavy = [layer for layer in layers if layer.kind.lower() in _HEAVY]
    integer = sum(layer.numbers in _INTEGER for layer in heavy)
    placed = {provider: len(layers)} if layers else {}
    proof = Proof(
        "full",
        asked,
        placed,
        1.0 if ran_on and all(name.startswith("CPU") for name in ran_on) else None,
        integer if layers else None,  # transposes and conversions of the u8 picture are no arithmetic
        f"compiled for {', '.join(ran_on)}",
        "",
        dict(Counter(layer.numbers for layer in heavy)),
    )
    replace = msgspec.structs.replace
    if not all(name == device or name.startswith(f"{device}.") for name in ran_on) or not ran_on:
        where = ", ".join(ran_on) or "nowhere"
        return replace(proof, verdict="none", reason=f"{device} was asked for, it runs on {where}", remedy=SEE_DOCTOR)
    if not layers:
        return replace(proof, reason=f"{proof.reason}; this device does not tell its layers")
    numbers = ", ".join(f"{count} in {name}" for name, count in proof.precisions.items())
    if precision in {"int8", "a16w8"} and heavy and not integer:
        return replace(
            proof,
            verdict="partial",
            reason=f"{precision} was asked for, and all {len(heavy)} convolutions and matrix products run in float",
            remedy="use a QDQ variant with 8-bit activations, or the fp32 variant",
        )
    return replace(proof, reason=f"{proof.reason}; convolutions and matrix products: {numbers or 'none'}")


def _fact(facts: Any, name: str) -> str:
    try:
        return str(facts[name].astype(str))
    except (RuntimeError, KeyError):
        return ""
