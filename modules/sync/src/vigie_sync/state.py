"""What the outbox shows of itself: metrics, and reported properties when something changes."""

from __future__ import annotations

from vigie.ledger.bounds import Durability
from vigie.ledger.ledger import Backlog
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.priorities import Priority
from vigie.ledger.volatile import in_memory
from vigie.log import get_logger
from vigie.service import Service
from vigie_sync.config import SyncConfig
from vigie_sync.sending import Hold

log = get_logger("sync.outbox")


class State:
    """Used from the outbox's thread."""

    def __init__(self, service: Service[SyncConfig], ledger: LedgerThread) -> None:
        self._twin, self._ledger = service.twin, ledger
        metrics = service.metrics
        self._messages = metrics.counter("vigie_upstream_messages_total", "Messages acknowledged upstream.")
        self._bytes = metrics.counter("vigie_upstream_bytes_total", "Bytes of messages acknowledged upstream.")
        self._pieces = metrics.counter(
            "vigie_upstream_pieces_total", "Pieces of 4,096 bytes of messages acknowledged upstream, as IoT Hub bills."
        )
        self._backlog = metrics.gauge("vigie_ledger_backlog", "Items recorded, not yet acknowledged upstream.")
        self._waiting = metrics.gauge("vigie_outbox_items", "Items that wait to be sent, by priority.", ("priority",))
        self._oldest = metrics.gauge(
            "vigie_outbox_oldest_seconds", "How long the oldest item has waited, by priority.", ("priority",)
        )
        self._used = metrics.gauge("vigie_ledger_bytes", "Disk that the ledger takes.")
        self._told: tuple[object, ...] | None = None

    def sent(self, size: int, pieces: int) -> None:
        self._messages.inc()
        self._bytes.inc(size)
        self._pieces.inc(pieces)

    def show(self, backlog: Backlog, held: Hold | None, durability: Durability) -> None:
        self._backlog.set(backlog.items + backlog.in_flight)
        self._used.set(backlog.used_bytes)
        for priority in Priority:
            waiting = backlog.waiting[priority]
            self._waiting.labels(priority.word).set(waiting.items)
            oldest = 0.0 if waiting.oldest_ms is None else (backlog.age_ms - waiting.oldest_ms) / 1e3
            self._oldest.labels(priority.word).set(max(0.0, oldest))
        # The clock's text changes with the clock: whether there is one is what is told.
        facts = (held, backlog.clock is None, durability, bool(self._ledger.in_memory))
        if facts != self._told:
            self._told = facts
            report = self._report(backlog, held, durability)
            log.info("outbox_state", **report)
            self._twin.report({"upstream_state": report})

    def _report(self, backlog: Backlog, held: Hold | None, durability: Durability) -> dict[str, object]:
        memory = in_memory(self._ledger.path.parent)
        survives = "nothing but a crash of processes" if durability == "process_crash" else "a power loss"
        if memory is not None:
            survives = f"nothing but a crash of processes: the state folder is on {memory}, which is memory"
        if self._ledger.in_memory:
            survives = "nothing but a crash of processes: the state folder cannot be used, a ledger in memory stands in"
        return {
            "held": None if held is None else held.value,
            "clock": backlog.clock,
            "durability": durability,
            "survives": survives,
        }
