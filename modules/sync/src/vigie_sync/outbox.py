"""Sends the ledger upstream in order, one batch at a time; a batch is done when the hub has acknowledged it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vigie.errors import PermanentError, TransientError
from vigie.ledger.batch import Batch
from vigie.ledger.ledger_thread import LedgerThread
from vigie.log import OncePer, get_logger
from vigie.messaging.upstream import UpstreamOutput
from vigie.service import Service
from vigie_sync.config import SyncConfig
from vigie_sync.properties import ROOM, properties_of

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


class Outbox:
    """One worker thread; ``recorded``, ``flush`` and ``configure`` come from others."""

    def __init__(
        self,
        service: Service[SyncConfig],
        ledger: LedgerThread,
        telemetry: UpstreamOutput,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._telemetry = ledger, telemetry
        self._health, self._hub = service.health, service.hub
        self._module = service.env.module_id
        self._source = f"/{service.env.device_id}/{service.env.module_id}"
        self._clock = clock
        self._config = SyncConfig()
        self._condition = threading.Condition()
        self._complete = threading.Event()
        self._waiting = 0
        self._urgent = False
        self._recorded_ever = 0
        self._shown_at = 0.0
        # None: nothing waits. What a former start left has waited long enough.
        self._due_at: float | None = clock()
        self._flushing = False
        self._quiet = OncePer()
        self._failures = 0
        self._messages = service.metrics.counter("vigie_upstream_messages_total", "Messages acknowledged upstream.")
        self._backlog = service.metrics.gauge("vigie_ledger_backlog", "Items recorded, not yet acknowledged upstream.")
        self._used = service.metrics.gauge("vigie_ledger_bytes", "Disk that the ledger takes.")

    def configure(self, config: SyncConfig) -> None:
        with self._condition:
            self._config = config
            self._condition.notify_all()

    def recorded(self, items: int, *, urgent: bool = False) -> None:
        """``items`` more are in the ledger; ``urgent``: an alert is among them, so nothing up to it waits for more."""
        with self._condition:
            first, before = self._due_at is None, self._waiting
            if first:
                self._due_at = self._clock() + self._config.batch_seconds
            self._waiting += items
            self._recorded_ever += items
            self._urgent = self._urgent or urgent
            # The thread is not woken for every frame: only when a time is set, or the batch has become full.
            if first or urgent or before < self._config.batch_items <= self._waiting:
                self._condition.notify_all()

    def nothing_more(self) -> None:
        """Whoever records has stopped: what it recorded at last can go too."""
        self._complete.set()

    def flush(self, timeout_s: float) -> bool:
        """Send what waits, whatever the batch limits say; whether nothing was left within ``timeout_s``."""
        deadline = self._clock() + timeout_s
        with self._condition:
            self._flushing = True
            self._condition.notify_all()
            while self._flushing and self._clock() < deadline:
                self._condition.wait(deadline - self._clock())
            done = not self._flushing
            self._flushing = False
            return done

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, then try once more to send what is left."""
        alive = self._health.watch("sync.outbox", _MOVES_S)
        retry_s, _ = _RETRY_S
        while not stop.is_set():
            alive.beat()
            try:
                if self._hub.connected and self._is_due():
                    self._send_next()
                else:
                    self._wait()
            except (TransientError, PermanentError) as error:
                self._explain(error)
                stop.wait(retry_s)
                retry_s = min(2 * retry_s, _RETRY_S[1])
            else:
                retry_s, _ = _RETRY_S
        self._send_last()

    def _is_due(self) -> bool:
        with self._condition:
            if self._flushing or self._urgent or self._waiting >= self._config.batch_items:
                return True
            return self._due_at is not None and self._clock() >= self._due_at

    def _wait(self) -> None:
        with self._condition:
            until = _WAIT_S if self._due_at is None else min(_WAIT_S, self._due_at - self._clock())
            due = self._flushing or self._urgent or until <= 0 or self._waiting >= self._config.batch_items
            # Due, but not connected: nothing will say when it is, so look again soon.
            self._condition.wait(_LOOK_S if due else until)
        if self._clock() - self._shown_at >= _WAIT_S:
            self._show()

    def _send_next(self) -> None:
        config = self._config
        batch = self._ledger.next_batch(self._module, config.batch_items, self._body_limit)
        if batch is None:
            self._failures = 0
            self._health.ready("upstream")
            with self._condition:
                self._flushing = False
                self._condition.notify_all()
        else:
            self._send(batch, None)
        self._look_again()

    def _send(self, batch: Batch, deadline_s: float | None) -> None:
        properties = properties_of(batch.body, batch.message_id, self._source)
        self._telemetry.send(batch.body, properties, batch.message_id, deadline_s)
        self._messages.inc()
        self._ledger.acknowledge(batch)
        self._failures = 0
        self._health.ready("upstream")

    def _look_again(self) -> None:
        with self._condition:
            before = self._recorded_ever
        left = self._ledger.backlog().items
        with self._condition:
            # Items that came meanwhile may be counted twice: that is one look too many, the other way one is forgotten.
            left += self._recorded_ever - before
            self._waiting = left
            self._urgent = self._urgent and left > 0
            self._due_at = self._clock() + self._config.batch_seconds if left else None

    def _show(self) -> None:
        self._shown_at = self._clock()
        backlog = self._ledger.backlog()
        self._backlog.set(backlog.items + backlog.in_flight)
        self._used.set(backlog.used_bytes)

    def _send_last(self) -> None:
        deadline = self._clock() + _LAST_S
        self._complete.wait(_LAST_S / 2)
        try:
            while self._hub.connected and (left_s := deadline - self._clock()) > 0:
                batch = self._ledger.next_batch(self._module, self._config.batch_items, self._body_limit)
                if batch is None:
                    return
                self._send(batch, left_s)
        except (TransientError, PermanentError) as error:
            log.info("left_for_the_next_start", reason=str(error))

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
