"""Where the time of a run goes, layer by layer: the slowest, and what could be done about them."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.models.bundle import Bundle
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.engine import EngineSettings
from vigie.runtimes.engines.onnxruntime_session import open_session, plan_session
from vigie.runtimes.runtime_libraries import import_onnxruntime

_RUNS = 5
_CONVERSIONS = {"QuantizeLinear", "DequantizeLinear", "Cast"}
_MOVES = {"Transpose", "Reshape", "Concat", "Slice", "Gather", "ReorderInput", "ReorderOutput", "Resize"}
# Smaller shares are not worth a sentence.
_WORTH_SHARE = 0.10


class LayerTime(msgspec.Struct, frozen=True):
    """``share`` of the time in kernels, 0..1. ``numbers``: the type of its first input."""

    name: str
    operator: str
    provider: str
    numbers: str
    ms: float
    share: float


def layer_times(bundle: Bundle, candidate: Candidate, tensor_hwc: NDArray[np.uint8]) -> tuple[LayerTime, ...]:
    """Slowest first; empty for an engine other than ONNX Runtime, which alone tells.

    Raises: ProviderError, EngineError.
    """
    if candidate.engine != "onnxruntime":
        return ()
    runtime = import_onnxruntime()
    plan = plan_session(runtime, bundle, candidate, EngineSettings())
    with tempfile.TemporaryDirectory(prefix="vigie-profile-") as folder:
        session = open_session(runtime, plan, profile=Path(folder) / "run")
        feed = {session.get_inputs()[0].name: tensor_hwc[None]}
        for _ in range(_RUNS):
            session.run(None, feed)
        return sum_up(json.loads(Path(session.end_profiling()).read_text(encoding="utf-8")), _RUNS)


def sum_up(events: Iterable[Mapping[str, Any]], runs: int) -> tuple[LayerTime, ...]:
    """The profiler's events to the mean of a run. Source: onnxruntime/core/common/profiler."""
    times_us: defaultdict[str, int] = defaultdict(int)
    facts: dict[str, tuple[str, str, str]] = {}
    for event in events:
        args = event.get("args", {})
        if event.get("cat") != "Node" or "provider" not in args:
            continue
        name = str(event.get("name", "")).removesuffix("_kernel_time")
        times_us[name] += int(event.get("dur", 0))
        first = (args.get("input_type_shape") or [{}])[0]
        facts[name] = (str(args.get("op_name", "")), str(args["provider"]), next(iter(first), ""))
    total = sum(times_us.values()) or 1
    ordered = sorted(times_us, key=lambda name: -times_us[name])
    return tuple(
        LayerTime(name, *facts[name], round(times_us[name] / runs / 1e3, 4), round(times_us[name] / total, 4))
        for name in ordered
    )


def advice(layers: Iterable[LayerTime], precision: str) -> tuple[str, ...]:
    """Sentences for whoever made the model; empty where nothing stands out."""
    layers = tuple(layers)
    said = []
    conversions, moves = (_share(layers, group) for group in (_CONVERSIONS, _MOVES))
    if conversions > _WORTH_SHARE:
        said.append(
            f"{conversions:.0%} of the time converts between number types: keep whole runs of layers in one type "
            "(quantize more of them, or fewer)"
        )
    if moves > _WORTH_SHARE:
        said.append(
            f"{moves:.0%} of the time moves numbers about (transpose, concat, resize): simplify the graph's tail"
        )
    activations = _share(layers, {"Sigmoid", "QLinearSigmoid", "Exp", "Tanh", "Mul", "QLinearMul", "HardSigmoid"})
    if activations > 2 * _WORTH_SHARE:
        said.append(
            f"{activations:.0%} of the time is spent in activations: train with ReLU, which convolutions absorb"
        )
    floats = sum(one.share for one in layers if "Conv" in one.operator and one.numbers == "float")
    if precision == "int8" and floats > _WORTH_SHARE:
        said.append(f"{floats:.0%} of the time is convolutions in float though the variant is int8")
    if layers and layers[0].share > 3 * _WORTH_SHARE:
        said.append(f"{layers[0].name} ({layers[0].operator}) alone takes {layers[0].share:.0%}")
    return tuple(said)


def _share(layers: tuple[LayerTime, ...], operators: set[str]) -> float:
    return sum(one.share for one in layers if one.operator in operators)
