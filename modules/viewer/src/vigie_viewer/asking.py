"""Asks the other modules: how they are, and for frames of the cameras that somebody looks at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from vigie.contracts.demand import Demand, EventsAfter
from vigie.messaging.output import Output
from vigie_viewer.audience import Audience

WATCHED_S = 2.0
# Enough for plots of the last minutes, and next to nothing: four small messages.
UNWATCHED_S = 15.0
# A demand ends by itself unless it is renewed: a viewer that died costs nothing.
DEMAND_S = 3 * WATCHED_S


@dataclass(slots=True)
class FrameRates:
    """What a camera captures and what of it is inferred, per second; from the modules' counters."""

    captured: dict[str, float] = field(default_factory=dict)
    inferred: dict[str, float] = field(default_factory=dict)


def every(captured: float, inferred: float, wanted: float) -> int:
    """Of which frames claims are asked for: the largest power of two that still brings ``wanted`` pairs per second.

    Under load inference takes some frames only. Claims of every second frame would then leave half of the pairs.
    """
    usable = min(captured, inferred) if inferred else captured
    step = 1
    while step < 64 and usable / (2 * step) >= wanted:
        step *= 2
    return step


class Asking:
    """One task. ``changed`` may be called at any time from the event loop."""

    def __init__(self, audience: Audience, output: Output[Demand], rates: Callable[[], FrameRates]) -> None:
        """``output`` reaches every module."""
        self._audience, self._output, self._rates = audience, output, rates
        self._wake = asyncio.Event()
        self._asked: dict[str, int] = {}
        self.schemas_wanted = True
        # The newest event that the viewer has.
        self.events_after: Callable[[], EventsAfter] = lambda: EventsAfter("", 0)

    def changed(self) -> None:
        """Somebody looks at something else."""
        if self._cameras().keys() != self._asked.keys():
            self._wake.set()

    def hurry(self) -> None:
        """Somebody has just opened the page: ask now."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            self._asked = self._cameras()
            demand = Demand(self._asked, DEMAND_S, self.schemas_wanted, self.events_after())
            self._output.offer(demand, key="", keep=False)
            self._audience.close_stalled()
            try:
                await asyncio.wait_for(self._wake.wait(), WATCHED_S if self._audience.viewers else UNWATCHED_S)
            except TimeoutError:
                continue

    def _cameras(self) -> dict[str, int]:
        rates = self._rates()
        return {
            camera: every(rates.captured.get(camera, 0.0), rates.inferred.get(camera, 0.0), fps)
            for camera, fps in self._audience.cameras.items()
        }
