"""What a run found out, as data: written as report.json, and read by the page and the command."""

from __future__ import annotations

from typing import Literal

import msgspec

from vigie_devkit.quantize.speed import Timing

SCHEMA = "vigie.quantize-report/1"


class FloatLayer(msgspec.Struct, frozen=True):
    """A layer that was kept float, and why."""

    name: str
    reason: str


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One mix of the search. ``size_bytes`` and ``cpu_ms`` where its file was written and timed."""

    float_layers: int
    integer_share: float
    headline: float
    allowed: bool
    size_bytes: int | None = None
    cpu_ms: float | None = None


class LayerError(msgspec.Struct, frozen=True):
    """What quantizing this layer alone does to the outputs, in decibels; and its share of the multiply-adds."""

    name: str
    op_type: str
    sqnr_db: float
    share: float
    depthwise: bool


class VariantReport(msgspec.Struct, frozen=True, kw_only=True):
    """One variant. ``verdict``: ``kept`` (float, was there), ``shipped``, ``refused``; ``reason`` in one sentence."""

    name: str
    why: str
    verdict: Literal["kept", "shipped", "refused"]
    reason: str
    size_bytes: int
    metric: str = ""
    figures: dict[str, float] = {}
    simulated: float | None = None
    integer_share: float = 0.0
    method: str = ""
    methods: dict[str, float] = {}
    float_layers: tuple[FloatLayer, ...] = ()
    targets: tuple[str, ...] = ()
    cpus: tuple[str, ...] = ()
    times: tuple[Timing, ...] = ()
    curve: tuple[Point, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. ``left_out``: recipes that do not suit the network, a sentence each."""

    schema: str = SCHEMA
    model: str
    digest: str
    machine: str
    date: str
    targets: tuple[str, ...]
    budget: str
    calibration: str
    calibration_frames: int
    judged_on: str
    judged_frames: int
    labelled: bool
    metric: str
    multiply_adds: int
    warnings: tuple[str, ...]
    tail: tuple[str, ...]
    layers: tuple[LayerError, ...]
    variants: tuple[VariantReport, ...]
    left_out: tuple[str, ...] = ()

    def variant(self, name: str) -> VariantReport:
        return next(one for one in self.variants if one.name == name)
