"""Takes detections from inference and commits them, or the events that they bring about, to the ledger.

Rules see a frame when it comes. What it brings about lingers for others to share its commit, unless an alert is among
it. Only when it is committed does its message count as received.
"""

from __future__ import annotations

import threading
import time
from collections import Counter

import msgspec

from vigie.contracts import names
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.events import EventItem
from vigie.contracts.lanes import lane_of
from vigie.drop_reason import DropReason
from vigie.errors import LedgerUnavailableError
from vigie.events.moment import KEY
from vigie.events.rules import Rules
from vigie.health import Watchdog
from vigie.histogram import DELAY_BUCKETS_S
from vigie.ledger.batch import ITEM_LIMIT_BYTES
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.rows import LedgerEntry
from vigie.log import get_logger
from vigie.service import InputQueue, Service
from vigie_sync.config import SyncConfig
from vigie_sync.drops import Drops
from vigie_sync.event_entries import EventEncoder, EventEntries
from vigie_sync.handover import Handover, record_with
from vigie_sync.held import Held, HeldFrame
from vigie_sync.keeping import Keeping
from vigie_sync.outbox import Outbox
from vigie_sync.timeline import Timeline

log = get_logger("sync.receive")

_POLL_S = 0.2
_RETRY_S = (0.1, 2.0)


class ReceiveStage:
    """One worker thread; configuration is replaced as a whole."""

    def __init__(
        self,
        service: Service[SyncConfig],
        detections: InputQueue[DetectionsItem],
        ledger: LedgerThread,
        outbox: Outbox,
        *,
        drops: Drops,
        timeline: Timeline,
        handovers: list[Handover],
        keeping: Keeping | None = None,
    ) -> None:
        self._keeping = keeping
        self._service, self._detections, self._ledger, self._outbox = service, detections, ledger, outbox
        self._drops, self._timeline, self._handovers = drops, timeline, handovers
        # Events that are told to the viewer once they are in the ledger.
        self._to_tell: list[EventItem] = []
        self.event_encoder = EventEncoder()
        self._config = self._wanted = SyncConfig()
        self._configured = threading.Event()
        self._rules = Rules()
        self._held = Held()
        # Whether an alert is among what is to be recorded next.
        self._alerts = False
        # Events that a change of the configuration brought about, until they are recorded.
        self._ended = EventEntries()
        # Frames of the last commit that were in the ledger already.
        self._known: set[str] = set()
        self._encoder = msgspec.json.Encoder()
        metrics = service.metrics
        self._committed = metrics.counter("vigie_items_committed_total", "Items committed to the ledger.")
        self._beside = metrics.counter(
            "vigie_beside_items_committed_total", "Items committed of models beside the cameras' own."
        )
        self._duplicates = metrics.counter("vigie_items_duplicate_total", "Items that were in the ledger already.")
        self._quiet = metrics.counter("vigie_items_omitted_total", "Empty items that 'report' leaves out.")
        self._seen = metrics.counter(
            "vigie_detections_committed_total", "Objects in committed items.", ("label", "model")
        )
        self.told = metrics.counter(
            "vigie_events_total", "Events recorded for the cloud.", ("type", "phase", "severity")
        )
        delay = metrics.histogram(
            "vigie_delay_seconds",
            "From capture to the end of a stage; sync: until its rules saw it.",
            ("stage",),
            buckets=DELAY_BUCKETS_S,
        )
        self._delays = tuple(delay.labels(stage) for stage in (names.PREPROCESS, names.INFERENCE, names.SYNC))
        self._in_memory = metrics.gauge(
            "vigie_ledger_in_memory", "1 while items are kept in memory only, because the disk cannot be used."
        )
        self._state_told: tuple[str, str | None, int] | None = None

    def configure(self, config: SyncConfig) -> None:
        self._wanted = config
        self._configured.set()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        alive = self._service.health.watch("sync.receive", 30.0)
        # What a frame becomes is the twin's to say: frames that are here before it wait.
        while not stop.is_set() and not self._configured.wait(_POLL_S):
            alive.beat()
        while not stop.is_set():
            alive.beat()
            wait_s = _POLL_S
            if self._held.messages:
                wait_s = max(0.0, self._held.due_at_s(alert=self._alerts) - time.monotonic())
            received = self._detections.get(wait_s)
            self._adopt()
            while received is not None:
                self._held.add(received, [self._take(item) for item in received.items], time.monotonic())
                received = self._detections.get(0.0) if not self._held.full else None
            due = not self._held.messages or time.monotonic() >= self._held.due_at_s(alert=self._alerts)
            if due and not self._settle(stop, alive):
                break
        else:
            self._settle(stop, alive)
        self._record_last()
        self._outbox.nothing_more()

    def _settle(self, stop: threading.Event, alive: Watchdog) -> bool:
        """Commit what is held; false only when stopping without success."""
        if not self._keep_trying(self._held.taken, stop, alive):
            return False
        for message in self._held.messages:
            message.done()
        self._held = Held()
        return True

    def _adopt(self) -> None:
        """Take a new configuration between two messages: rules belong to this thread."""
        if self._wanted is self._config:
            return
        before, self._config = self._config.upstream, self._wanted
        ended = self._rules.close() if self._config.upstream == "detections" != before else []
        ended += self._rules.configure(self._config.events, self._config.cameras)
        self.event_encoder.configure(self._config.events)
        self._ended.add(self._told(ended))
        self._timeline.drawn(self._config.cameras)
        if self._keeping is not None:
            self._keeping.configure(self._config.evidence, self._config.sampling)

    def _keep_trying(self, taken: list[HeldFrame], stop: threading.Event, alive: Watchdog) -> bool:
        """Commit what frames brought about, or settle the ledger; false only when stopping without success."""
        now_s = time.monotonic()
        told, frames = self._ended, [entry for one in taken if (entry := self._frame(one)) is not None]
        for one in taken:
            told.add(one.told)
        told.add(self._told([] if taken else self._rules.idle(now_s)))
        told.add(self.event_encoder.due(now_s))
        retry_s, longest_s = _RETRY_S
        while True:
            try:
                if frames or told.local or told.upstream:
                    self._commit(frames, told)
                else:
                    self._ledger.settle()
                    self._drops.tell(self._ledger.take_dropped())
            except LedgerUnavailableError as error:
                self._report_unavailable(error)
                if stop.wait(retry_s):
                    return False
                retry_s = min(2 * retry_s, longest_s)
                alive.beat()
            else:
                self._report_available()
                self._ended = EventEntries()
                self._tell_viewer()
                self._count([one.item for one in taken if one.new])
                return True

    def _take(self, item: DetectionsItem) -> HeldFrame:
        """What is to be recorded of one frame: itself, the events that it brings about, or both."""
        now_ns = time.monotonic_ns()
        age_ms = (now_ns - item.captured_ns) / 1e6
        if age_ms >= 0:  # else captured before this host booted: the clocks are not the same
            timings = msgspec.structs.replace(item.timings, received_ms=round(age_ms, 3))
            item = msgspec.structs.replace(item, timings=timings)
        if item.beside:
            # What this model sees of the frame is another fact than what the camera's own model sees.
            item = msgspec.structs.replace(item, trace=lane_of(item.trace, item.beside))
        taken = HeldFrame(item, boxes=self._config.upstream != "events")
        if taken.boxes and not item.detections and self._config.report == "with_detections":
            self._quiet.inc()
            taken.boxes = taken.new = False
        if self._config.upstream != "detections":
            try:
                seen = item if not item.beside else msgspec.structs.replace(item, camera=item.lane)
                events = self._rules.observe(seen, now_ns / 1e9)
            except ValueError as error:
                log.warning("bad_time", camera=item.camera, trace=item.trace, reason=str(error))
                self._service.metrics.dropped(DropReason.BAD_TIME, item.camera)
                events = None
            if events is None and self._config.upstream == "events":
                self._duplicates.inc()
                taken.new = False
            # Before the commit: the frame leaves the camera's ring within tenths of a second.
            if self._keeping is not None and events is not None and not item.beside:
                self._keeping.look(item, events, now_ns / 1e9)
            taken.told = self._told(events or [])
        return taken

    def _frame(self, taken: HeldFrame) -> LedgerEntry | None:
        """The frame itself, if it is wanted. Once for each frame: when it is committed."""
        if not taken.boxes:
            return None
        item = taken.item
        if item.timings.received_ms is not None:
            age_ms = (time.monotonic_ns() - item.captured_ns) / 1e6
            timings = msgspec.structs.replace(item.timings, committed_ms=round(age_ms, 3))
            item = msgspec.structs.replace(item, timings=timings)
        if item.blur is not msgspec.UNSET:
            item = msgspec.structs.replace(item, blur=msgspec.UNSET)  # for pictures made here; it goes nowhere else
        body = self._encoder.encode(item)
        if item.trace.startswith(KEY):
            log.error("trace_refused", camera=item.camera, trace=item.trace)
            self._service.metrics.dropped(DropReason.REFUSED, item.camera)
        elif len(body) > ITEM_LIMIT_BYTES:
            log.error("item_too_large", camera=item.camera, trace=item.trace, bytes=len(body))
            self._service.metrics.dropped(DropReason.TOO_LARGE, item.camera)
        else:
            return LedgerEntry(item.trace, item.camera, body)
        taken.new = False
        return None

    def _told(self, events: list[EventItem]) -> EventEntries:
        self._to_tell += events
        for event in events:
            self.told.labels(event.__struct_config__.tag, event.phase, event.severity).inc()
        told = self.event_encoder.of(events, time.monotonic())
        self._alerts = self._alerts or told.alerts
        return told

    def _commit(self, frames: list[LedgerEntry], told: EventEntries) -> None:
        record_with(self._handovers, told.local)
        entries = [*frames, *told.upstream]
        recorded = self._ledger.record(entries, self._config.ledger_bytes)
        twice = [one.trace for one, new in zip(entries, recorded.new, strict=True) if not new]
        self._known = {trace for trace in twice if not trace.startswith(KEY)}
        if len(twice) < len(entries):
            self._outbox.recorded(len(entries) - len(twice), urgent=self._alerts, patient=told.patient and not frames)
            self._alerts = False
        self._drops.tell(recorded.dropped)

    def _count(self, items: list[DetectionsItem]) -> None:
        """``items``: frames that are recorded, or whose events are."""
        known, self._known = self._known, set()
        new = [item for item in items if item.trace not in known]
        self._duplicates.inc(len(items) - len(new))
        self._beside.inc(sum(bool(item.beside) for item in new))
        new = [item for item in new if not item.beside]
        self._committed.inc(len(new))
        seen = Counter((found.label, item.model) for item in new for found in item.detections)
        for (label, model), count in seen.items():
            self._seen.labels(label, model).inc(count)
        for timings in (item.timings for item in new):
            if timings.received_ms is not None:
                ends_ms = (timings.preprocessed_ms, timings.inferred_ms, timings.received_ms)
                for delay, end_ms in zip(self._delays, ends_ms, strict=True):
                    delay.observe(end_ms / 1e3)

    def _record_last(self) -> None:
        """Everything that goes on ends with the module; what cannot be recorded now is lost, and told."""
        told = self._told(self._rules.close() if self._config.upstream != "detections" else [])
        told.add(self.event_encoder.close())
        try:
            if told.local or told.upstream:
                self._commit([], told)
                self._tell_viewer()
        except LedgerUnavailableError as error:
            log.warning("last_events_lost", events=len(told.upstream), reason=error.reason)

    def _tell_viewer(self) -> None:
        told, self._to_tell = self._to_tell, []
        self._timeline.add(told)

    def _report_unavailable(self, error: LedgerUnavailableError) -> None:
        self._service.health.not_ready("ledger", str(error))
        self._tell("unavailable", error.reason)

    def _report_available(self) -> None:
        self._service.health.ready("ledger")
        memory = self._ledger.in_memory
        self._in_memory.set(1 if memory else 0)
        self._service.health.note("ledger", f"kept in memory only, lost with the machine: {memory}" if memory else "")
        self._tell("memory" if memory else "ok", memory or None)

    def _tell(self, state: str, reason: str | None) -> None:
        """Log and report a change of the ledger's state, with the damaged files that were set aside."""
        told = (state, reason, self._ledger.times_set_aside)
        if told == self._state_told:
            return
        self._state_told = told
        aside = self._ledger.set_aside()
        log.info("ledger_state", state=state, reason=reason, set_aside=aside)
        self._service.twin.report(
            {"ledger": {"state": state, "reason": reason, "set_aside": aside or None, "at_rest": self._ledger.at_rest}}
        )
