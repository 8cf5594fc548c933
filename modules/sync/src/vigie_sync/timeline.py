"""The newest events, for the viewer: kept in memory, sent while somebody looks, counted as they come.

The ledger is for the cloud and empties itself; a page that opens wants what has just happened.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec

from vigie.contracts.demand import Demand
from vigie.contracts.events import EventItem, ObjectEvent
from vigie.contracts.told import Told
from vigie.demand import LONGEST_S
from vigie.events.settings import CameraRules
from vigie.ledger.erasure import Erasure
from vigie.messaging.output import Output
from vigie.metrics import Metrics
from vigie_sync.live_counts import LiveCounts

# Objects come and go by the dozen: they must not push out the one line that was crossed an hour ago.
OBJECTS_MAX = 200
OTHERS_MAX = 300
_encoder = msgspec.json.Encoder()


class Timeline:
    """``add`` from the threads that commit events, ``answer`` from the thread of demands."""

    def __init__(
        self, output: Output[Told], metrics: Metrics, boot: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._output, self._boot, self._clock = output, boot, clock
        self._lock = threading.Lock()
        self._objects: deque[Told] = deque(maxlen=OBJECTS_MAX)
        self._others: deque[Told] = deque(maxlen=OTHERS_MAX)
        self._number = 0
        self._watched_until = 0.0
        self._drawn: Mapping[str, CameraRules] | None = None
        self.counts = LiveCounts(metrics)

    def add(self, events: Sequence[EventItem]) -> None:
        """These are in the ledger now."""
        if not events and self._drawn is None:
            return
        with self._lock:
            for event in events:
                self._number += 1
                told = Told(self._boot, self._number, event, self.counts.take(event))
                (self._objects if isinstance(event, ObjectEvent) else self._others).append(told)
                if self._clock() < self._watched_until:
                    self._output.offer(told, key=event.camera, keep=True)
            if self._drawn is not None:
                self.counts.keep_only(self._drawn)
                self._drawn = None

    def drawn(self, cameras: Mapping[str, CameraRules]) -> None:
        """The twin has these zones and lines now. What ends with those that are gone comes with the next ``add``."""
        self._drawn = cameras

    def erase(self, what: Erasure) -> None:
        """Forget what ``what`` covers, and what does not say when it was."""
        with self._lock:
            for kept in (self._objects, self._others):
                stays = [told for told in kept if what.covers(told.event.camera, _encoder.encode(told.event)) is False]
                kept.clear()
                kept.extend(stays)

    def answer(self, demand: Demand) -> None:
        """Send what the viewer lacks; what comes until its demand ends is sent at once."""
        after = demand.events_after
        if after is None:
            return
        with self._lock:
            self._watched_until = self._clock() + min(demand.seconds, LONGEST_S)
            had = after.number if after.boot == self._boot else 0
            lacking = [told for kept in (self._objects, self._others) for told in kept if told.number > had]
            for told in sorted(lacking, key=lambda one: one.number):
                self._output.offer(told, key=told.event.camera, keep=True)
