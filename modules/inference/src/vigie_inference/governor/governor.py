"""Reads the machine every few seconds and lets the rules decide; tells by twin, metric and event what is held back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from vigie.contracts.events import Phase
from vigie.log import get_logger
from vigie.runtimes.hardware import probe
from vigie.runtimes.hardware.battery import read_battery
from vigie.runtimes.hardware.energy import EnergyMeter, open_meter
from vigie.runtimes.hardware.slowing import read_slowing
from vigie.runtimes.hardware.thermal import read_zones
from vigie.service import Service
from vigie_inference.config import InferenceConfig
from vigie_inference.governor.energy import ESTIMATE, WINDOW_S, PerFrame, Sums, per_frame, watts
from vigie_inference.governor.frame_share import FrameShare
from vigie_inference.governor.rules import Readings, Standing, effects, hottest, step
from vigie_inference.governor.settings import GovernorConfig
from vigie_inference.seats.seat import Seats
from vigie_inference.telling import Telling

log = get_logger("inference")

TICK_S = 5.0
# Energy alone is told again this seldom: a twin is not a metric.
TOLD_S = 300.0


class Governor:
    """``run`` is the body of a thread of its own; ``look`` one turn of it."""

    def __init__(
        self,
        service: Service[InferenceConfig],
        seats: Seats,
        rate: FrameShare,
        telling: Telling,
        *,
        frames: Callable[[], int],
        machine: Path = Path("/"),
    ) -> None:
        """``frames``: how many were inferred since the start. ``machine``: where its /sys and /proc lie."""
        self._service, self._seats, self._rate, self._telling = service, seats, rate, telling
        self._frames, self._machine = frames, machine
        self._standing = Standing()
        self._last: Sums | None = None
        self._window: Sums | None = None
        self._per_frame: PerFrame | None = None
        self._meter: EnergyMeter | None = None
        self._began: datetime | None = None
        self._told: dict[str, Any] | None = None
        self._told_s = 0.0
        metrics = service.metrics
        self._level = metrics.gauge("vigie_governor_level", "How much is held back for the machine's sake: 0 to 4.")
        self._share = metrics.gauge("vigie_governor_rate_ratio", "Share of the frames that is inferred.")
        self._celsius = metrics.gauge("vigie_zone_celsius", "Temperature of what computes.", ("zone",))
        self._joules = metrics.counter(
            "vigie_energy_joules",
            "Energy of the meter's whole domain, idle power and other modules included.",
            ("meter",),
        )
        self._frame_joules = metrics.gauge(
            "vigie_frame_energy_joules", "Energy of the meter's domain per inferred frame, last minute.", ("meter",)
        )
        self._frame_cpu = metrics.gauge(
            "vigie_frame_cpu_seconds", "CPU time of this module per inferred frame, last minute: an estimate of energy."
        )

    def run(self, stop: threading.Event) -> None:
        with self.metered():
            while not stop.wait(TICK_S):
                try:
                    self.look(time.monotonic())
                except Exception:
                    # Frames go on as they are: a fault here must not cost them.
                    log.exception("governor_failed")

    @contextmanager
    def metered(self) -> Iterator[None]:
        """The machine's energy meter, if it has one, is read until the end."""
        with ExitStack() as held:
            meter = open_meter(probe(self._machine, packages=()), self._machine)
            self._meter = None if meter is None else held.enter_context(meter)
            yield

    def look(self, now_s: float) -> None:
        config = self._service.twin.current
        settings = GovernorConfig() if config is None else config.governor
        asked = config is not None and config.runtime.objective == "power_critical"
        readings = self._read(now_s)
        before, self._standing = self._standing, step(self._standing, readings, settings, now_s, asked=asked)
        level = effects(self._standing, settings)
        self._rate.share = level.rate
        for seat in self._seats.all():
            if seat.load.saving != level.saving:
                seat.load.saving = level.saving
                seat.load.attention.set()
        self._level.set(self._standing.level)
        self._share.set(level.rate)
        self._celsius.clear()
        if (found := hottest(readings, settings)) is not None:
            self._celsius.labels(found[0].name).set(found[0].celsius)
        if self._standing.level != before.level:
            self._changed(before, settings)
        self._report(settings, now_s)

    def _read(self, now_s: float) -> Readings:
        root = self._machine
        joules = None if self._meter is None else self._meter.joules()
        now = Sums(now_s, self._frames(), time.process_time(), joules)
        last, self._last = self._last, now
        drawn = None if last is None else watts(last, now)
        if self._meter is not None and last is not None and joules is not None and last.joules is not None:
            self._joules.labels(self._meter.domain).inc(max(0.0, joules - last.joules))
        self._window = self._window or now
        if now_s - self._window.at_s >= WINDOW_S:
            self._per_frame, self._window = per_frame(self._window, now), now
            self._measure()
        return Readings(zones=read_zones(root), slowing=read_slowing(root), watts=drawn, battery=read_battery(root))

    def _measure(self) -> None:
        found = self._per_frame
        self._frame_joules.clear()
        if found is None:
            return
        self._frame_cpu.set(found.cpu_ms / 1e3)
        if found.joules is not None and self._meter is not None:
            self._frame_joules.labels(self._meter.domain).set(found.joules)

    def _changed(self, before: Standing, settings: GovernorConfig) -> None:
        now, level = self._standing, effects(self._standing, settings)
        phase: Phase = "update" if before.level and now.level else "new" if now.level else "end"
        began = self._began or datetime.now(UTC)
        self._began = None if phase == "end" else began
        serving = self._seats.main.models.serving
        log.warning(
            "throttled",
            level=now.level,
            before=before.level,
            rate=level.rate,
            reasons=[one.text for one in now.reasons],
        )
        if serving is not None:
            self._telling.throttled(serving.spec.version, phase, now, level, began)

    def _report(self, settings: GovernorConfig, now_s: float) -> None:
        standing, level, found = self._standing, effects(self._standing, settings), self._per_frame
        held_back: dict[str, Any] = {
            "level": standing.level,
            "rate": level.rate,
            "saving": level.saving,
            "reasons": [one.text for one in standing.reasons] if standing.level else [],
        }
        changed = self._told is None or any(self._told.get(key) != held_back[key] for key in ("level", "rate"))
        if not changed and now_s - self._told_s < TOLD_S:
            return
        self._told, self._told_s = held_back, now_s
        energy = ESTIMATE if self._meter is None else self._meter.domain
        told = {**held_back, "energy": energy}
        if found is not None:
            told["cpu_ms_per_frame"] = found.cpu_ms
            if found.joules is not None:
                told["joules_per_frame"] = found.joules
        self._service.twin.report_whole("governor_state", msgspec.to_builtins(told))
