"""The verdict of a proof, from what was assigned and what the profiler saw: a function of values."""

from __future__ import annotations

from collections.abc import Mapping

from vigie.runtimes.engines.onnxruntime_proof import RunProfile
from vigie.runtimes.proof import Proof, Verdict
from vigie.runtimes.remedy import SEE_DOCTOR

CPU = "CPUExecutionProvider"
# QNN leaves one Q or DQ at each edge of the graph to the CPU by default: well below this.
CPU_SHARE_MAX = 0.05
# What may stay on the CPU at the edges without the device being idle meanwhile.
_EDGES = frozenset({"QuantizeLinear", "DequantizeLinear", "Cast"})


def judge(
    *,
    asked: str,
    provider: str,
    precision: str,
    emulated: bool,
    assigned: Mapping[str, Mapping[str, int]],
    profile: RunProfile | None,
) -> Proof:
    """Args: provider: ONNX Runtime's name of what was asked for. assigned: operators by provider; may be empty."""
    placed = {name: sum(operators.values()) for name, operators in assigned.items()}
    share = _cpu_share(profile)
    integers = None if profile is None or profile.opaque else profile.integer
    verdict, reason, remedy = _verdict(provider, precision, emulated=emulated, assigned=assigned, profile=profile)
    return Proof(verdict, asked, placed, share, integers, reason, remedy)


def _verdict(
    provider: str,
    precision: str,
    *,
    emulated: bool,
    assigned: Mapping[str, Mapping[str, int]],
    profile: RunProfile | None,
) -> tuple[Verdict, str, str]:
    ran = set(assigned) or set(profile.time_us if profile else ())
    if provider not in ran:
        return "none", f"no node ran on {provider}", f"use another variant; {SEE_DOCTOR}"
    if provider != CPU:
        left = _left_to_cpu(assigned, profile, emulated=emulated)
        if left:
            return "partial", left, "use a variant whose operators the provider takes, or another provider"
    if emulated:
        return "emulated", f"placed on {provider}, a software model of the device: its speed says nothing", ""
    if profile is None:
        return "full", f"all nodes are assigned to {provider}; nothing was profiled (no temporary folder)", ""
    if precision in {"int8", "a16w8"} and not profile.opaque and profile.heavy_integer == 0:
        why = f"{precision} was asked for, and all {profile.heavy_float} convolutions and matrix products ran in float"
        return "partial", why, "use a QDQ variant with 8-bit activations that this provider fuses, or the fp32 variant"
    return "full", _full_reason(provider, precision, profile), ""


def _full_reason(provider: str, precision: str, profile: RunProfile) -> str:
    text = f"everything that takes time ran on {provider}"
    if precision == "int8" and not profile.opaque:
        heavy = profile.heavy_integer + profile.heavy_float
        text += f"; {profile.heavy_integer} of {heavy} convolutions and matrix products in integers"
    return text


def _left_to_cpu(assigned: Mapping[str, Mapping[str, int]], profile: RunProfile | None, *, emulated: bool) -> str:
    """A sentence if more than edges stayed on the CPU. Emulated time says nothing, so there operators are counted."""
    share = _cpu_share(profile)
    if share is None or emulated:
        left = {name: count for name, count in assigned.get(CPU, {}).items() if name not in _EDGES}
        if not left:
            return ""
        return f"{sum(left.values())} nodes stay on the CPU: {_names(left)}"
    if share <= CPU_SHARE_MAX or profile is None:
        return ""
    return f"{share:.0%} of the time went to the CPU, most of it to {_names(profile.cpu_time_us)}"


def _names(weights: Mapping[str, int], most: int = 3) -> str:
    return ", ".join(sorted(weights, key=lambda name: -weights[name])[:most])


def _cpu_share(profile: RunProfile | None) -> float | None:
    total = sum(profile.time_us.values()) if profile else 0
    return profile.time_us.get(CPU, 0) / total if profile and total else None
