"""One sink's events: recorded on disk, delivered in order by a thread of its own, tried again until they are taken."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from vigie.drop_reason import DropReason
from vigie.errors import LedgerUnavailableError
from vigie.health import Watchdog
from vigie.ledger.batch import Batch
from vigie.ledger.erasure import Erased, Erasure
from vigie.ledger.ledger import Backlog
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.rows import LedgerEntry
from vigie.log import OncePer, get_logger
from vigie.sealing import Seals
from vigie_actions.delivery_metrics import DeliveryMetrics
from vigie_actions.event import EventHead
from vigie_actions.sinks.registry import Settings
from vigie_actions.sinks.sink import Shipment, Sink, SinkAwayError, SinkRefusedError

log = get_logger("actions.delivery")

State = Literal["idle", "delivering", "waiting", "refusing"]

# A body this large goes anywhere; one event is some hundred bytes.
_BODY_BYTES = 240_000
_FIRST_RETRY_S = 0.5
_POLL_S = 0.5
# Above the longest try (``SinkQueue.timeout_seconds``) and what a disk may take.
_MOVES_S = 180.0
# A batch that the receiver calls wrong so often is dropped: the same bytes will not become right.
_REFUSALS = 5
_LATEST = 1000


class _Items(msgspec.Struct):
    items: list[EventHead]


_decoder = msgspec.json.Decoder(_Items)


class SinkDelivery:
    """``record`` and ``backlog`` may be called from any thread; ``run`` is the body of the sink's own."""

    def __init__(
        self,
        path: str,
        settings: Settings,
        sink: Sink,
        folder: Path,
        metrics: DeliveryMetrics,
        *,
        module_id: str,
        told: Callable[[], None],
        seals: Seals | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``path`` in the twin, as ``webhooks.siren``. ``told``: called when ``state`` or ``reason`` changed."""
        self.path, self.settings = path, settings
        self.state: State = "idle"
        self.reason = ""
        self.delivered = 0
        self.late = 0
        self._sink, self._metrics, self._module, self._told, self._clock = sink, metrics, module_id, told, clock
        self._ledger = LedgerThread(folder, name="actions.ledger", seals=seals)
        self._condition = threading.Condition()
        # What a former start left has waited long enough.
        self._waits = True
        self._recorded = 0
        self._ended = False
        self._adopted = False
        self._retired: list[Sink] = []
        self._delays: deque[float] = deque(maxlen=_LATEST)
        self._newest: deque[str] = deque(maxlen=_LATEST)
        self._refused: tuple[int, int] = (0, 0)
        self._quiet = OncePer()

    def record(self, entries: list[LedgerEntry]) -> None:
        """On disk when it returns. Raises: LedgerUnavailableError: nothing was recorded; try again."""
        if not entries:
            return
        recorded = self._ledger.record(entries, self.settings.queue.bytes)
        for one, count in recorded.dropped.items():
            self._metrics.dropped(DropReason.QUEUE_FULL, one.camera, count)
        if recorded.dropped:
            log.warning("queue_full", sink=self.path, dropped=recorded.dropped.total())
        with self._condition:
            self._recorded += 1
            self._waits = True
            self._condition.notify_all()

    def adopt(self, settings: Settings, sink: Sink) -> None:
        """Go on with other settings, at once; what waits is kept."""
        with self._condition:
            self._retired.append(self._sink)
            self.settings, self._sink, self._adopted = settings, sink, True
            self._condition.notify_all()

    def erase(self, what: Erasure, *, set_aside: bool) -> Erased:
        """Of what waits. ``set_aside``: damaged ledgers that were kept go too. Raises: LedgerUnavailableError."""
        erased = self._ledger.erase(what)
        if set_aside:
            self._ledger.forget_set_aside()
        return erased

    def set_aside(self) -> list[str]:
        """Damaged ledgers that were kept."""
        return [f"{self.path}/{name}" for name in self._ledger.set_aside()]

    def backlog(self) -> Backlog:
        """Raises: LedgerUnavailableError."""
        return self._ledger.backlog()

    def p99_s(self) -> float | None:
        """Of the newest 1,000 events, from when they happened to when the sink had taken them; None: none yet."""
        with self._condition:
            ordered = sorted(self._delays)
        return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))] if ordered else None

    def wait_taken(self, key: str, timeout_s: float) -> bool:
        """Whether the sink has taken the event with ``key`` within ``timeout_s``. One that is dropped never is."""
        with self._condition:
            return (
                self._condition.wait_for(lambda: key in self._newest or self._ended, timeout_s) and key in self._newest
            )

    def end(self) -> None:
        """Make ``run`` return soon. What is on disk stays there."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()

    def run(self, stop: threading.Event, alive: Watchdog) -> None:
        """Deliver until ``stop`` is set or ``end`` was called."""
        pause_s, until = 0.0, 0.0
        try:
            while not (stop.is_set() or self._ended):
                alive.beat()
                if self._took_over():
                    pause_s = until = 0.0
                if not self._wait(max(0.0, until - self._clock())):
                    continue
                try:
                    self._deliver_next()
                except (SinkAwayError, SinkRefusedError, LedgerUnavailableError) as error:
                    pause_s = min(2 * pause_s or _FIRST_RETRY_S, self.settings.queue.retry_seconds)
                    until = self._clock() + max(pause_s, getattr(error, "retry_s", None) or 0.0)
                    self._explain(error)
                else:
                    pause_s = until = 0.0
        finally:
            self._took_over()
            self._sink.close()
            self._ledger.close()

    def _took_over(self) -> bool:
        """Whether settings are new since the last look; connections of those before are closed on this thread."""
        with self._condition:
            adopted, self._adopted = self._adopted, False
            retired, self._retired = self._retired, []
        for sink in retired:
            sink.close()
        return adopted

    def _wait(self, pause_s: float) -> bool:
        """Whether there is something to do now; waits for it a moment."""
        with self._condition:
            if self._ended:
                return False
            if pause_s > 0:
                # What is recorded meanwhile does not end the pause.
                self._condition.wait_for(lambda: self._ended or self._adopted, min(pause_s, _POLL_S))
                return False
            if not self._waits:
                self._condition.wait_for(lambda: self._waits or self._ended or self._adopted, _POLL_S)
            return self._waits and not self._ended

    def _deliver_next(self) -> None:
        with self._condition:
            recorded, sink, queue = self._recorded, self._sink, self.settings.queue
        batch = self._ledger.next_batch(self._module, queue.batch_items, lambda _id: _BODY_BYTES)
        if batch is None:
            self._ledger.settle()
            self._change("idle", "")
            with self._condition:
                self._waits = self._recorded != recorded
            return
        begun = self._clock()
        try:
            sink.deliver(Shipment(batch.message_id, batch.body), queue.timeout_seconds)
        except SinkRefusedError as error:
            if not self._has_refused_enough(batch):
                raise
            self._drop(batch, str(error))
        else:
            self._count(batch, self._clock() - begun)
        self._ledger.acknowledge(batch)
        self._change("delivering", "")

    def _has_refused_enough(self, batch: Batch) -> bool:
        sent, times = self._refused
        self._refused = (batch.sent, times + 1 if sent == batch.sent else 1)
        return self._refused[1] >= _REFUSALS

    def _drop(self, batch: Batch, reason: str) -> None:
        heads = _decoder.decode(batch.body).items
        for head in heads:
            self._metrics.dropped(DropReason.REFUSED, head.camera, 1)
        log.error("events_refused", sink=self.path, events=len(heads), id=batch.message_id, reason=reason)

    def _count(self, batch: Batch, took_s: float) -> None:
        now = datetime.now(UTC)
        heads = _decoder.decode(batch.body).items
        delays = [max(0.0, (now - datetime.fromisoformat(one.at)).total_seconds()) for one in heads]
        late = sum(delay > self.settings.queue.deadline_seconds for delay in delays)
        self._metrics.delivered(self.path, took_s, delays, late)
        with self._condition:
            self.delivered += batch.items
            self.late += late
            self._delays.extend(delays)
            self._newest.extend(one.key for one in heads)
            self._condition.notify_all()

    def _explain(self, error: Exception) -> None:
        if (held := self._quiet.ready(type(error).__name__)) is not None:
            log.warning("sink_waits", sink=self.path, reason=str(error), more=held)
        self._metrics.failed.labels(self.path).inc()
        self._change("refusing" if isinstance(error, SinkRefusedError) else "waiting", str(error))

    def _change(self, state: State, reason: str) -> None:
        # Busy or idle is no news for the twin; that nothing arrives, and that it does again, is.
        news = (reason, state in {"waiting", "refusing"}) != (self.reason, self.state in {"waiting", "refusing"})
        self.state, self.reason = state, reason
        if news:
            self._told()
