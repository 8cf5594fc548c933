"""Takes detections from inference and commits them to the ledger; only then does a message count as received."""

from __future__ import annotations

import threading
import time
from collections import Counter

import msgspec

from vigie.contracts.detections import DetectionsItem
from vigie.errors import LedgerUnavailableError
from vigie.health import Watchdog
from vigie.log import get_logger
from vigie.service import InputQueue, Service
from vigie_sync.batch import ITEM_LIMIT_BYTES
from vigie_sync.config import SyncConfig
from vigie_sync.latency import LatencyWindow
from vigie_sync.ledger import Entry, Recorded
from vigie_sync.ledger_thread import LedgerThread
from vigie_sync.outbox import Outbox

log = get_logger("sync.receive")

_POLL_S = 0.2
_SHOW_S = 0.5
_RETRY_S = (0.1, 2.0)
# Messages that share one commit when they are there already; nobody waits for more to come.
_GATHER = 16


class ReceiveStage:
    """One worker thread; configuration is replaced as a whole."""

    def __init__(
        self,
        service: Service[SyncConfig],
        detections: InputQueue[DetectionsItem],
        ledger: LedgerThread,
        outbox: Outbox,
    ) -> None:
        self._service, self._detections, self._ledger, self._outbox = service, detections, ledger, outbox
        self._config = SyncConfig()
        self._encoder = msgspec.json.Encoder()
        self._latency = LatencyWindow()
        self._shown_at = 0.0
        metrics = service.metrics
        self._committed = metrics.counter("vigie_items_committed_total", "Items committed to the ledger.")
        self._duplicates = metrics.counter("vigie_items_duplicate_total", "Items that were in the ledger already.")
        self._quiet = metrics.counter("vigie_items_not_reported_total", "Empty items that 'report' leaves out.")
        self._seen = metrics.counter("vigie_detections_committed_total", "Objects in committed items.", ("label",))
        self._latency_ms = metrics.gauge("vigie_latency_ms", "Capture to commit, newest items.", ("quantile",))
        self._told: tuple[str, str | None, int] | None = None

    def configure(self, config: SyncConfig) -> None:
        self._config = config

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        alive = self._service.health.watch("sync.receive", 30.0)
        while not stop.is_set():
            alive.beat()
            received = self._detections.get(_POLL_S)
            together = [] if received is None else [received]
            while together and len(together) < _GATHER and (more := self._detections.get(0.0)) is not None:
                together.append(more)
            items = [item for message in together for item in message.items]
            if not self._keep_trying(items, stop, alive):
                return
            for message in together:
                message.done()
            self._show()

    def _keep_trying(self, items: list[DetectionsItem], stop: threading.Event, alive: Watchdog) -> bool:
        """Commit ``items``, or settle the ledger if there are none; false only when stopping without success."""
        messages = self._to_record(items)
        retry_s, longest_s = _RETRY_S
        while True:
            try:
                if messages:
                    self._commit(messages)
                else:
                    self._ledger.settle()
            except LedgerUnavailableError as error:
                self._report_unavailable(error)
                if stop.wait(retry_s):
                    return False
                retry_s = min(2 * retry_s, longest_s)
                alive.beat()
            else:
                self._report_available()
                return True

    def _to_record(self, items: list[DetectionsItem]) -> list[tuple[DetectionsItem, Entry]]:
        now_ns = time.monotonic_ns()
        messages = []
        for item in items:
            if not item.detections and self._config.report == "with_detections":
                self._quiet.inc()
                continue
            age_ms = (now_ns - item.captured_ns) / 1e6
            if age_ms >= 0:  # else captured before this host booted: the clocks are not the same
                timings = msgspec.structs.replace(item.timings, committed_ms=round(age_ms, 3))
                item = msgspec.structs.replace(item, timings=timings)  # noqa: PLW2901  the item, completed
            body = self._encoder.encode(item)
            if len(body) > ITEM_LIMIT_BYTES:
                log.error("item_too_large", camera=item.camera, trace=item.trace, bytes=len(body))
                self._service.metrics.dropped("too_large", item.camera)
                continue
            messages.append((item, Entry(item.trace, item.camera, body)))
        return messages

    def _commit(self, messages: list[tuple[DetectionsItem, Entry]]) -> None:
        recorded = self._ledger.record([entry for _, entry in messages], self._config.ledger_bytes)
        new = [item for (item, _), is_new in zip(messages, recorded.new, strict=True) if is_new]
        self._committed.inc(len(new))
        self._duplicates.inc(len(messages) - len(new))
        for label, count in Counter(found.label for item in new for found in item.detections).items():
            self._seen.labels(label).inc(count)
        now_ns = time.monotonic_ns()
        for item in new:
            if item.timings.committed_ms is not None:
                self._latency.add((now_ns - item.captured_ns) / 1e6)
        if new:
            self._outbox.recorded(len(new))
        if recorded.dropped:
            self._report_full(recorded)

    def _report_full(self, recorded: Recorded) -> None:
        for camera, count in recorded.dropped.items():
            self._service.metrics.dropped("ledger_full", camera, count)
        log.warning("ledger_full", dropped=recorded.dropped.total(), dropped_total=recorded.dropped_total)
        self._service.twin.report({"ledger_full": {"dropped": recorded.dropped_total}})

    def _report_unavailable(self, error: LedgerUnavailableError) -> None:
        self._service.health.not_ready("ledger", str(error))
        self._tell("unavailable", error.reason)

    def _report_available(self) -> None:
        self._service.health.ready("ledger")
        self._tell("ok", None)

    def _tell(self, state: str, reason: str | None) -> None:
        """Log and report a change of the ledger's state, with the damaged files that were set aside."""
        told = (state, reason, self._ledger.times_set_aside)
        if told == self._told:
            return
        self._told = told
        aside = self._ledger.set_aside()
        log.info("ledger_state", state=state, reason=reason, set_aside=aside)
        self._service.twin.report({"ledger": {"state": state, "reason": reason, "set_aside": aside or None}})

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._shown_at >= _SHOW_S:
            self._shown_at = now
            for name, value in zip(("0.5", "0.95"), self._latency.quantiles(0.5, 0.95), strict=False):
                self._latency_ms.labels(name).set(round(value, 3))
