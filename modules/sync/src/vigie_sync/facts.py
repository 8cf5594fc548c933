"""Takes events that other modules tell by themselves (a camera is down) and commits them to the ledger.

Only then does a message count as received, so what a module told is not lost with a kill.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec
from prometheus_client import Counter

from vigie.contracts.disagreement import Disagreement
from vigie.contracts.events import (
    CameraDegraded,
    CameraDown,
    CameraEvent,
    EventItem,
    ModelDrift,
    ModelEvent,
    ModelThrottled,
)
from vigie.drop_reason import DropReason
from vigie.errors import LedgerUnavailableError
from vigie.events.moment import KEY
from vigie.ledger.batch import ITEM_LIMIT_BYTES
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.priorities import priority
from vigie.ledger.rows import LedgerEntry
from vigie.log import get_logger
from vigie.service import InputQueue, Service
from vigie_sync.config import SyncConfig
from vigie_sync.drops import Drops
from vigie_sync.handover import Handover, record_with
from vigie_sync.keeping import Keeping
from vigie_sync.outbox import Outbox
from vigie_sync.timeline import Timeline

log = get_logger("sync.facts")

# What comes on the input: events, which are recorded, and what only sampling wants to know.
Heard = EventItem | Disagreement

_POLL_S = 0.5
_RETRY_S = (0.1, 2.0)

_encoder = msgspec.json.Encoder()


def judged(event: EventItem, config: SyncConfig) -> EventItem | None:
    """``event`` with the severity that the twin gives it; None: it is not to be told."""
    if config.upstream == "detections":
        return None
    if isinstance(event, ModelEvent):
        return _of_model(event, config)
    return _of_camera(event, config) if isinstance(event, CameraEvent) else event


def _of_camera(event: CameraEvent, config: SyncConfig) -> CameraEvent | None:
    outages = config.events.outages
    if outages == "off":
        return None
    severity = outages if isinstance(event, CameraDown | CameraDegraded) else "event"
    return msgspec.structs.replace(event, severity=severity)


def _of_model(event: ModelEvent, config: SyncConfig) -> ModelEvent | None:
    models = config.events.models
    if models == "off":
        return None
    failed = isinstance(event, ModelDrift | ModelThrottled) or event.state in {"rejected", "rolled_back"}
    return msgspec.structs.replace(event, severity=models if failed and event.phase != "update" else "event")


class FactStage:
    """One worker thread; configuration is replaced as a whole."""

    def __init__(
        self,
        service: Service[SyncConfig],
        told: InputQueue[Heard],
        ledger: LedgerThread,
        outbox: Outbox,
        *,
        handovers: list[Handover],
        counter: Counter,
        drops: Drops,
        timeline: Timeline,
        keeping: Keeping | None = None,
    ) -> None:
        """``counter``: of events recorded, by type, phase and severity. ``timeline`` tells the viewer of them."""
        self._service, self._input, self._ledger, self._outbox = service, told, ledger, outbox
        self._handovers, self._counter, self._drops, self._timeline = handovers, counter, drops, timeline
        self._keeping = keeping
        self._config = SyncConfig()
        self._configured = threading.Event()

    def configure(self, config: SyncConfig) -> None:
        self._config = config
        self._configured.set()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        alive = self._service.health.watch("sync.facts", 30.0)
        # What is told, and as what, is the twin's to say: events that are here before it wait.
        while not stop.is_set() and not self._configured.wait(_POLL_S):
            alive.beat()
        while not stop.is_set():
            alive.beat()
            received = self._input.get(_POLL_S)
            if received is None:
                continue
            config = self._config
            self._pass_on(received.items)
            told = [item for item in received.items if not isinstance(item, Disagreement)]
            events = [event for item in told if (event := judged(item, config)) is not None]
            if not self._record(events, config, stop, alive.beat):
                return
            received.done()

    def _pass_on(self, items: list[Heard]) -> None:
        keeping = self._keeping
        if keeping is None:
            return
        for item in items:
            if isinstance(item, ModelDrift):
                keeping.hear(item)
            elif isinstance(item, Disagreement):
                keeping.disagree(item, time.monotonic())

    def _record(
        self, events: list[EventItem], config: SyncConfig, stop: threading.Event, beat: Callable[[], None]
    ) -> bool:
        """Commit; false only when stopping without success."""
        found = [(event, entry) for event in events if (entry := self._entry(event)) is not None]
        retry_s, longest_s = _RETRY_S
        while found:
            try:
                entries = [entry for _, entry in found]
                record_with(self._handovers, entries)
                recorded = self._ledger.record(entries, config.ledger_bytes)
            except LedgerUnavailableError:
                # The other stage tells of it: it tries at least every second, also without a frame.
                if stop.wait(retry_s):
                    return False
                retry_s = min(2 * retry_s, longest_s)
                beat()
                continue
            new = [event for (event, _), fresh in zip(found, recorded.new, strict=True) if fresh]
            if new:
                self._outbox.recorded(len(new), urgent=any(event.severity == "alert" for event in new))
            for event in new:
                self._counter.labels(event.__struct_config__.tag, event.phase, event.severity).inc()
            self._timeline.add(new)
            self._drops.tell(recorded.dropped)
            break
        return True

    def _entry(self, event: EventItem) -> LedgerEntry | None:
        body = _encoder.encode(event)
        if event.key.startswith(KEY) and len(body) <= ITEM_LIMIT_BYTES:
            return LedgerEntry(
                event.key, event.camera, body, priority(str(event.__struct_config__.tag), event.severity)
            )
        log.error("event_refused", camera=event.camera, key=event.key[:200], bytes=len(body))
        self._service.metrics.dropped(DropReason.REFUSED, event.camera)
        return None
