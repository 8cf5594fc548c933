"""From costs per frame to what fits, where the bottleneck is, and when to go remote: functions of values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import msgspec

# Of the cores, and of the engine: the rest absorbs bursts, other programs, and figures taken on a good day.
SHARE_MAX = 0.8
# Hub, hand-over, sync and tracking: the bar of docs/benchmarks/flow.md at four cameras and more; not measured by `fit`.
OTHER_CPU_MS = 2.0
# Of a frame whose model runs on another machine: the tensor is copied and sent once. Assumed, not measured.
REMOTE_CPU_MS = 0.6


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CPU time of one frame in ms, all threads. ``model_ms``: of the run, as many at a time as the engine does.

    ``engine``: the candidate's key. ``on_cpu``: its time is CPU time. ``tensor_bytes``: what goes to a server.
    ``where``: the machine and its load, in words, so that nobody takes the figures for another's.
    """

    decode_ms: float
    preprocess_ms: float
    model_cpu_ms: float
    model_ms: float
    engine: str
    on_cpu: bool
    tensor_bytes: int
    cores: int
    where: str


class Stage(StrEnum):
    """Where the time of a frame goes."""

    DECODE = "decode"
    PREPROCESS = "preprocess"
    MODEL = "model"
    REST = "rest"


_NAMES = {
    Stage.DECODE: "decode",
    Stage.PREPROCESS: "preprocess",
    Stage.MODEL: "model",
    Stage.REST: "hub, sync and hand-over (an estimate)",
}


class Part(msgspec.Struct, frozen=True):
    """``share``: of what there is of it, 1 = all. ``what``: cores, or the engine. ``name``: the stage, for people."""

    stage: Stage
    name: str
    what: str
    share: float


class Fit(msgspec.Struct, frozen=True):
    """``cameras_max``: at the wanted rate. ``fps_max``: with the wanted cameras. ``advice``: the best first."""

    fits: bool
    cores_needed: float
    parts: tuple[Part, ...]
    bottleneck: str
    cameras_max: int
    fps_max: float
    remote_cameras_max: int
    remote_mbit_s: float
    advice: tuple[str, ...]


def fit(costs: Costs, *, cameras: int, fps: float) -> Fit:
    """Whether ``cameras`` at ``fps`` frames per second each fit the machine that ``costs`` were measured on."""
    per_frame = _cpu_parts(costs)
    rate = cameras * fps
    parts = [Part(stage, _NAMES[stage], "cores", rate * ms / 1e3 / costs.cores) for stage, ms in per_frame.items()]
    cores_share = sum(part.share for part in parts)
    engine_share = 0.0 if costs.on_cpu else rate * costs.model_ms / 1e3
    if engine_share:
        parts.append(Part(Stage.MODEL, f"model on {costs.engine}", "the engine", engine_share))
    share = max(cores_share, engine_share)
    fits = share <= SHARE_MAX
    local_rate = SHARE_MAX / share * rate
    remote_share = rate * (sum(per_frame.values()) - per_frame[Stage.MODEL] + REMOTE_CPU_MS) / 1e3 / costs.cores
    remote_cameras = math.floor(SHARE_MAX / remote_share * cameras)
    bottleneck = max(parts, key=lambda part: part.share)
    found = Fit(
        fits=fits,
        cores_needed=round(cores_share * costs.cores, 2),
        parts=tuple(sorted(parts, key=lambda part: -part.share)),
        bottleneck=bottleneck.name,
        cameras_max=math.floor(local_rate / fps + 1e-9),
        fps_max=round(local_rate / cameras, 1),
        remote_cameras_max=remote_cameras,
        remote_mbit_s=round(rate * costs.tensor_bytes * 8 / 1e6, 1),
        advice=(),
    )
    return msgspec.structs.replace(found, advice=tuple(_advice(found, bottleneck.stage, cameras=cameras, fps=fps)))


def _cpu_parts(costs: Costs) -> dict[Stage, float]:
    return {
        Stage.DECODE: costs.decode_ms,
        Stage.PREPROCESS: costs.preprocess_ms,
        Stage.MODEL: costs.model_cpu_ms,
        Stage.REST: OTHER_CPU_MS,
    }


def _advice(found: Fit, bottleneck: Stage, *, cameras: int, fps: float) -> list[str]:
    if found.fits:
        return []
    advice = []
    if found.fps_max >= 1:
        advice.append(f"{cameras} cameras fit at {found.fps_max:g} frames per second ($.fps of each camera)")
    if bottleneck is Stage.DECODE:
        advice.append("use the camera's sub-stream: decoding is the largest part, and no engine makes it cheaper")
    elif bottleneck is Stage.MODEL:
        advice.append("use an accelerator, a smaller model, or an int8 variant: the model is the largest part")
    if found.remote_cameras_max >= cameras:
        advice.append(
            f"with the model on another machine they fit here: {found.remote_mbit_s:g} Mbit/s to it, and "
            f"{REMOTE_CPU_MS:g} ms of CPU per frame assumed for sending (docs/scaling.md)"
        )
    elif found.remote_cameras_max > found.cameras_max:
        advice.append(f"with the model on another machine {found.remote_cameras_max} cameras fit here, not {cameras}")
    boxes = math.ceil(cameras / found.cameras_max) if found.cameras_max else 0
    if boxes > 1:
        advice.append(f"or {boxes} such boxes, {found.cameras_max} cameras at {fps:g} frames per second on each")
    return advice


def fit_lines(costs: Costs, found: Fit, *, cameras: int, fps: float) -> Sequence[str]:
    """The same for people."""
    word = "fits" if found.fits else "does not fit"
    lines = [
        f"{cameras} cameras at {fps:g} frames per second: {word}; at most {found.cameras_max} at that rate",
        f"measured on {costs.where}; model on {costs.engine}",
        "",
        f"{'per frame':40} {'CPU ms':>7}  {'share of':>9}",
    ]
    ms = _cpu_parts(costs)
    lines += [
        f"{part.name:40} "
        f"{ms[part.stage] if part.what == 'cores' else costs.model_ms:7.2f}  {part.share:8.1%} {part.what}"
        for part in found.parts
    ]
    lines += ["", f"needs {found.cores_needed:g} of {costs.cores} cores; {SHARE_MAX:.0%} of each are planned with"]
    return [*lines, *(f"advice    {sentence}" for sentence in found.advice)]
