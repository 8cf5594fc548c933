"""What ONNX Runtime's profiler saw: which provider each kernel ran on, for how long, and in which numbers."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError
from vigie.runtimes.engines.onnxruntime_session import SessionPlan, open_session
from vigie.runtimes.runtime_libraries import first_line

_RUNS = 3
_HEAVY = {
    "Conv",
    "FusedConv",
    "NhwcConv",
    "NhwcFusedConv",
    "ConvTranspose",
    "MatMul",
    "FusedMatMul",
    "Gemm",
    "FusedGemm",
}
_INTEGER = {"ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QGemm", "QAttention"}
_INTEGER_HEAVY = {"QLinearConv", "QLinearMatMul", "QLinearConvTranspose", *_INTEGER}
_INTEGER_TYPES = {"uint8", "int8"}


class RunProfile(msgspec.Struct, frozen=True):
    """``time_us``: by provider. ``cpu_time_us``: by operator, of the CPU provider. Kernels are counted once, however
    often they ran: ``integer``: all with integer arithmetic; ``heavy_integer``, ``heavy_float``: convolutions and
    matrix products. ``opaque``: a provider ran whole subgraphs whose kernels are not told.
    """

    time_us: dict[str, int]
    cpu_time_us: dict[str, int]
    integer: int
    heavy_integer: int
    heavy_float: int
    opaque: bool


def profile_runs(runtime: ModuleType, plan: SessionPlan, image: NDArray[np.uint8]) -> RunProfile | None:
    """Open the plan once more with the profiler on and run it; ``None`` where no temporary file can be written.

    Raises: EngineError: it does not run.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="vigie-profile-")
    except OSError:
        return None
    with folder as name:
        session = open_session(runtime, plan, profile=Path(name) / "run")
        try:
            for _ in range(1 if plan.emulated else _RUNS):
                session.run(None, {session.get_inputs()[0].name: image})
        except Exception as error:  # ONNX Runtime's own classes share no base
            raise EngineError(plan.model, f"the run failed: {first_line(error)}") from error
        file = Path(session.end_profiling())
        return read_profile(json.loads(file.read_text(encoding="utf-8")))


def read_profile(events: Iterable[Mapping[str, Any]]) -> RunProfile:
    """Sum up the profiler's events.

    Source: onnxruntime/core/common/profiler; kernels are events of category Node with provider and op_name.
    """
    times: Counter[str] = Counter()
    on_cpu: Counter[str] = Counter()
    kernels: dict[str, str] = {}
    for event in events:
        facts = event.get("args", {})
        if event.get("cat") != "Node" or "provider" not in facts:
            continue
        provider, operator = facts["provider"], facts.get("op_name", "")
        times[provider] += int(event.get("dur", 0))
        if provider == "CPUExecutionProvider":
            on_cpu[operator] += int(event.get("dur", 0))
        kernels[event.get("name", "")] = _kind(provider, operator, _first_input_type(facts))
    counted = Counter(kernels.values())
    return RunProfile(
        time_us=dict(times),
        cpu_time_us=dict(on_cpu),
        integer=counted["integer"] + counted["heavy integer"],
        heavy_integer=counted["heavy integer"],
        heavy_float=counted["heavy float"],
        opaque=counted["opaque"] > 0,
    )


def _first_input_type(facts: Mapping[str, Any]) -> str:
    inputs = facts.get("input_type_shape") or [{}]
    return next(iter(inputs[0]), "")


def _kind(provider: str, operator: str, number_type: str) -> str:
    # A fused subgraph of a compiling provider is one event named <provider>_<hash>_<n>.
    if operator.rpartition("_")[2].isdecimal() and operator.startswith(provider.removesuffix("ExecutionProvider")):
        return "opaque"
    if operator == "EPContext":
        return "opaque"
    if operator in _INTEGER_HEAVY or (operator in _HEAVY and number_type in _INTEGER_TYPES):
        return "heavy integer"
    if operator.startswith("QLinear"):
        return "integer"
    return "heavy float" if operator in _HEAVY else "other"
