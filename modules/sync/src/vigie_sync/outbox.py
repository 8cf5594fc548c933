"""Sends the ledger upstream, one batch at a time; a batch is done when the hub has acknowledged it.

Alerts go at once. The rest goes when it is due (``batch_items``, ``batch_seconds``) and nothing holds it (``sending``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from vigie.errors import PermanentError, TransientError
from vigie.events.brief import PATIENCE
from vigie.ledger.age_clock import plausible
from vigie.ledger.batch import GZIP, Batch
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.packing import PIECE_BYTES, Packing, message_bytes, pieces
from vigie.ledger.priorities import Priority
from vigie.ledger.spent import Spent
from vigie.log import OncePer, get_logger
from vigie.messaging.upstream import UpstreamOutput
from vigie.service import Service
from vigie.transfers import Rate
from vigie_sync.config import SyncConfig
from vigie_sync.properties import ROOM, properties_of
from vigie_sync.sending import Hold, day_of, hold
from vigie_sync.state import State

log = get_logger("sync.outbox")

# Above the longest wait for an acknowledgement (``vigie.messaging.patience``).
_MOVES_S = 120.0
# One failed try is any hub's restart; from the second on whoever looks at readiness hears of it.
_FAILURES_TOLD = 2
_WAIT_S = 0.5
_LOOK_S = 0.1
_RETRY_S = (0.2, 5.0)
# Threads get three seconds at a stop: what is left after this goes at the next start.
_LAST_S = 1.5
# In a backlog of this many batches, messages are as large as they may be.
_BACKLOG_BATCHES = 10
_BACKLOG_ITEMS = 1000


class Outbox:
    """One worker thread; ``recorded``, ``flush`` and ``configure`` come from others."""

    def __init__(
        self,
        service: Service[SyncConfig],
        ledger: LedgerThread,
        telemetry: UpstreamOutput,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._ledger, self._telemetry = ledger, telemetry
        self._health, self._hub = service.health, service.hub
        self._module = service.env.module_id
        self._source = f"/{service.env.device_id}/{service.env.module_id}"
        self._clock, self._wall = clock, wall
        self._config = SyncConfig()
        self._condition = threading.Condition()
        self._complete = threading.Event()
        self._configured = threading.Event()
        self._waiting = 0
        self._urgent = False
        self._recorded_ever = self._urgent_ever = 0
        self._shown_at = 0.0
        self._rate = Rate()
        # None: not read from the ledger yet.
        self._spent: Spent | None = None
        # None: nothing waits.
        self._due_at: float | None = clock()
        self._flushing = self._through = False
        self._quiet = OncePer()
        self._failures = 0
        self._state = State(service, ledger)

    def configure(self, config: SyncConfig) -> None:
        with self._condition:
            self._config = config
            self._configured.set()
            self._rate.change(config.sending.bytes_per_second, self._clock())
            self._condition.notify_all()

    def recorded(self, items: int, *, urgent: bool = False, patient: bool = False) -> None:
        """``items`` more are in the ledger; ``urgent``: an alert is among them; ``patient``: only objects are."""
        with self._condition:
            before = self._waiting
            due_at = self._clock() + self._config.batch_seconds * (PATIENCE if patient else 1)
            first = self._due_at is None or due_at < self._due_at
            if first:
                self._due_at = due_at
            self._waiting += items
            self._recorded_ever += items
            self._urgent_ever += urgent
            self._urgent = self._urgent or urgent
            # The thread is not woken for every frame: only when a time is set, or the batch has become full.
            if first or urgent or before < self._config.batch_items <= self._waiting:
                self._condition.notify_all()

    def nothing_more(self) -> None:
        """Whoever records has stopped: what it recorded at last can go too."""
        self._complete.set()

    def held(self) -> Hold | None:
        """Why nothing but alerts goes now."""
        now = self._now()
        return hold(self._config.sending, self._spent or Spent(), now)

    def flush(self, timeout_s: float, *, through: bool = False) -> bool:
        """Send what waits, whatever the batch limits say; whether nothing was left within ``timeout_s``.

        ``through``: past quiet hours and budgets too.
        """
        deadline = self._clock() + timeout_s
        with self._condition:
            self._flushing, self._through = True, through
            self._condition.notify_all()
            while self._flushing and self._clock() < deadline:
                self._condition.wait(deadline - self._clock())
            done = not self._flushing
            self._flushing = self._through = False
            return done

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, then try once more to send what is left."""
        alive = self._health.watch("sync.outbox", _MOVES_S)
        retry_s, _ = _RETRY_S
        # When what may go is the twin's to say: what a former start left waits for it.
        while not stop.is_set() and not self._configured.wait(_WAIT_S):
            alive.beat()
        while not stop.is_set():
            alive.beat()
            try:
                if self._spent is None:
                    self._look_first()
                packing = self._plan() if self._hub.connected else None
                if packing is None:
                    self._wait()
                else:
                    self._send_next(packing)
            except (TransientError, PermanentError) as error:
                self._explain(error)
                stop.wait(retry_s)
                retry_s = min(2 * retry_s, _RETRY_S[1])
            else:
                retry_s, _ = _RETRY_S
        self._send_last()

    def _plan(self) -> Packing | None:
        """What may go into a message now; None: nothing has to go yet."""
        with self._condition:
            urgent, through, due = self._urgent, self._through, self._is_due()
        if not urgent and (not due or self._rate.wait_s(self._clock()) > 0):
            return None
        if urgent:
            return self._packing((Priority.ALERT,))
        return self._packing() if through or self.held() is None else None

    def _is_due(self) -> bool:
        if self._flushing or self._waiting >= self._config.batch_items:
            return True
        return self._due_at is not None and self._clock() >= self._due_at

    def _packing(self, priorities: tuple[Priority, ...] = tuple(Priority)) -> Packing:
        sending = self._config.sending
        # A second's worth at most, or an alert would wait for what it is behind.
        most = None if sending.bytes_per_second is None else max(PIECE_BYTES, sending.bytes_per_second)
        properties = ROOM | {"source": self._source}
        overhead = message_bytes(0, properties, ROOM["id"], GZIP if sending.gzip else "utf-8")
        return Packing(priorities, sending.gzip, overhead, most)

    def _wait(self) -> None:
        now = self._clock()
        with self._condition:
            until = _WAIT_S if self._due_at is None else min(_WAIT_S, self._due_at - now)
            if self._urgent or self._is_due():
                # Due, but not connected, or held: nothing will say when that is over, so look again soon.
                until = min(_WAIT_S, self._rate.wait_s(now)) or _LOOK_S
            self._condition.wait(until)
        if self._clock() - self._shown_at >= _WAIT_S:
            self._show()

    def _send_next(self, packing: Packing) -> None:
        batch = self._ledger.next_batch(self._module, self._most_items(), self._body_limit, packing)
        if batch is None:
            self._failures = 0
            self._health.ready("upstream")
            if packing.priorities != (Priority.ALERT,):
                with self._condition:
                    self._flushing = False
                    self._condition.notify_all()
        else:
            self._send(batch, None)
        self._look_again(keep_due=packing.priorities == (Priority.ALERT,))

    def _most_items(self) -> int:
        items = self._config.batch_items
        return max(items, _BACKLOG_ITEMS) if self._waiting >= _BACKLOG_BATCHES * items else items

    def _send(self, batch: Batch, deadline_s: float | None) -> None:
        properties = properties_of(batch.json, batch.message_id, self._source)
        size = message_bytes(len(batch.body), properties, batch.message_id, batch.encoding)
        # Before it is sent: a try that fails may have been taken all the same.
        now = self._now()
        self._rate.sent(size, self._clock())
        self._spent = (self._spent or Spent()).plus("" if now is None else day_of(now), size, pieces(size))
        self._telemetry.send(batch.body, properties, batch.message_id, deadline_s, batch.encoding)
        self._state.sent(size, pieces(size))
        self._ledger.acknowledge(batch, self._spent)
        self._failures = 0
        self._health.ready("upstream")

    def _look_first(self) -> None:
        """What a former start left has waited long enough."""
        backlog = self._ledger.backlog()
        self._look_again()
        with self._condition:
            # What this start has recorded meanwhile waits like everything else.
            left = backlog.items + backlog.in_flight - self._recorded_ever
            self._due_at = self._clock() if left > 0 else self._due_at
        self._spent = backlog.spent

    def _look_again(self, *, keep_due: bool = False) -> None:
        """``keep_due``: only alerts went, which must not put off the rest."""
        with self._condition:
            before, urgent_before = self._recorded_ever, self._urgent_ever
        backlog = self._ledger.backlog()
        with self._condition:
            # Items that came meanwhile may be counted twice: that is one look too many, the other way one is forgotten.
            left = backlog.items + self._recorded_ever - before
            self._waiting = left
            self._urgent = backlog.waiting[Priority.ALERT].items > 0 or self._urgent_ever > urgent_before
            if not left:
                self._due_at = None
            elif not keep_due or self._due_at is None:
                self._due_at = self._clock() + self._config.batch_seconds

    def _show(self) -> None:
        self._shown_at = self._clock()
        self._state.show(self._ledger.backlog(), self.held(), self._config.durability)

    def _send_last(self) -> None:
        deadline = self._clock() + _LAST_S
        if not self._configured.is_set():
            return
        self._complete.wait(_LAST_S / 2)
        try:
            while self._hub.connected and (left_s := deadline - self._clock()) > 0:
                if self._rate.wait_s(self._clock()) > 0:
                    return
                packing = self._packing() if self.held() is None else self._packing((Priority.ALERT,))
                batch = self._ledger.next_batch(self._module, self._most_items(), self._body_limit, packing)
                if batch is None:
                    return
                self._send(batch, left_s)
        except (TransientError, PermanentError) as error:
            log.info("left_for_the_next_start", reason=str(error))

    def _now(self) -> datetime | None:
        """UTC; None: the clock cannot be right."""
        wall_s = self._wall()
        return datetime.fromtimestamp(wall_s, UTC) if plausible(wall_s) else None

    def _body_limit(self, message_id: str) -> int:
        return self._telemetry.limit_bytes(ROOM | {"source": self._source}, message_id)

    def _explain(self, error: Exception) -> None:
        if (held := self._quiet.ready(type(error).__name__)) is not None:
            log.warning("upstream_waits", error=type(error).__name__, reason=str(error), more=held)
        self._failures += 1
        if isinstance(error, PermanentError):
            self._health.not_ready("upstream", str(error))
        elif self._failures >= _FAILURES_TOLD:
            self._health.not_ready("upstream", f"{self._failures} tries in a row failed: {error}")
