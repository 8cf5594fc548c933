"""Direct methods of the outbox: what waits, send it, show it, drop it, try the way."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vigie.contracts.events import CheckEvent, Severity
from vigie.errors import MethodRefusedError
from vigie.events.moment import KEY
from vigie.ledger.ledger import Backlog
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.priorities import Priority, priority
from vigie.ledger.rows import LedgerEntry
from vigie.plurals import counted
from vigie.service import Service
from vigie_sync.config import SyncConfig
from vigie_sync.drops import Drops
from vigie_sync.outbox import Outbox

PriorityName = Literal["alert", "event", "aggregate", "detections"]
# A reply may have 128 KB (edgeHub); what encloses the items is small.
_EXPORT_BYTES = 100_000
_TOKEN_S = 60.0
_LOOK_S = 0.05


class GetBacklog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``get_backlog``: no arguments."""


class Flush(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``flush``: how long to wait until nothing is left; ``through``: past quiet hours and budgets too."""

    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    through: bool = False


class ExportBacklog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``export_backlog``: the items that wait behind ``after``, which is ``next`` of the reply before."""

    after: Annotated[int, Meta(ge=0)] = 0
    items: Annotated[int, Meta(ge=1, le=1000)] = 100


class Purge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``purge``. Without ``confirm`` nothing goes: the reply has the token to confirm with."""

    priorities: Annotated[tuple[PriorityName, ...], Meta(min_length=1)] = ("alert", "event", "aggregate", "detections")
    confirm: str | None = None


class SendTestEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``send_test_event``: an event of type ``test``; the reply comes when the hub has acknowledged it."""

    severity: Severity = "event"
    text: Annotated[str, Meta(max_length=200)] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0


class WaitingReply(msgspec.Struct, frozen=True):
    """Of one priority."""

    items: int
    bytes: int
    oldest_seconds: float | None


class SpentReply(msgspec.Struct, frozen=True):
    """Sent on ``day`` (UTC)."""

    day: str
    messages: int
    pieces: int
    bytes: int


class BacklogReply(msgspec.Struct, frozen=True):
    """What waits in the ledger. ``dropped`` and ``dropped_total`` since it was made; ``set_aside``: damaged files kept.

    ``held``: why nothing but alerts goes now; ``spent``: what was sent on the last day on which something was.
    """

    ledger: str
    items: int
    in_flight: int
    used_bytes: int
    dropped_total: int
    set_aside: list[str]
    priorities: dict[str, WaitingReply]
    dropped: dict[str, int]
    held: str | None
    clock: str | None
    spent: SpentReply


class ExportReply(msgspec.Struct, frozen=True):
    """``items`` in the order in which they would be sent. ``next``: to go on with; absent: nothing is behind them."""

    items: list[dict[str, Any]]
    next: int | None


class PurgeReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """With ``token``: what would go; without: what went."""

    items: int
    token: str | None = None
    expires_s: float | None = None


class TestReply(msgspec.Struct, frozen=True):
    """``key`` of the event, by which it is found in the cloud."""

    key: str
    acknowledged_s: float


@dataclass(frozen=True, slots=True)
class _Asked:
    token: str
    ledger: str
    priorities: tuple[PriorityName, ...]
    until_s: float


class OutboxMethods:
    """Each runs on a thread of its own."""

    def __init__(self, service: Service[SyncConfig], ledger: LedgerThread, outbox: Outbox, drops: Drops) -> None:
        self._service, self._ledger, self._outbox, self._drops = service, ledger, outbox, drops
        self._lock = threading.Lock()
        self._asked: _Asked | None = None

    def get_backlog(self, _: GetBacklog) -> BacklogReply:
        return self._reply(self._ledger.backlog())

    def flush(self, request: Flush) -> BacklogReply:
        held = self._outbox.held()
        if held is not None and not request.through:
            raise MethodRefusedError(409, f"'{held}' of the twin holds all but alerts back; 'through': true sends them")
        done = self._outbox.flush(request.timeout_s, through=request.through)
        backlog = self._ledger.backlog()
        if not done:
            left = backlog.items + backlog.in_flight
            raise MethodRefusedError(503, f"{counted(left, 'item')} left after {request.timeout_s:g} s; try again")
        return self._reply(backlog)

    def export_backlog(self, request: ExportBacklog) -> ExportReply:
        rows = self._ledger.page(request.after, request.items)
        items: list[dict[str, Any]] = []
        last, size = request.after, 0
        for number, entry in rows:
            size += len(entry.body) + 1
            if items and size > _EXPORT_BYTES:
                break
            items.append(msgspec.json.decode(entry.body))
            last = number
        if size > _EXPORT_BYTES and len(items) == 1:
            raise MethodRefusedError(409, f"item {last} alone has {size} bytes, more than a reply; go on after {last}")
        return ExportReply(items, last if len(items) < len(rows) or len(rows) == request.items else None)

    def purge(self, request: Purge) -> PurgeReply:
        backlog = self._ledger.backlog()
        chosen = [Priority[name.upper()] for name in request.priorities]
        now_s = time.monotonic()
        with self._lock:
            asked, self._asked = self._asked, None
            if request.confirm is None:
                token = secrets.token_hex(8)
                self._asked = _Asked(token, backlog.ledger, request.priorities, now_s + _TOKEN_S)
                return PurgeReply(sum(backlog.waiting[one].items for one in chosen), token, _TOKEN_S)
        expected = None if asked is None or now_s > asked.until_s else (asked.token, asked.ledger, asked.priorities)
        if expected != (request.confirm, backlog.ledger, request.priorities):
            raise MethodRefusedError(
                409, "the token is not the one that the last call returned for these priorities, or 60 s have passed; "
                "call without 'confirm' for a new one",
            )  # fmt: skip
        gone = self._ledger.purge(chosen)
        self._drops.tell(self._ledger.take_dropped())
        return PurgeReply(gone)

    def send_test_event(self, request: SendTestEvent) -> TestReply:
        begun_s, name = time.monotonic(), secrets.token_hex(6)
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        event = CheckEvent(
            key=f"{KEY}test/{name}/end/test-{name}", id=f"test/{name}", phase="end", severity=request.severity,
            camera="test", trace=f"test-{name}", at=at, started_at=at, seconds=0.0, text=request.text,
        )  # fmt: skip
        kind = priority("test", request.severity)
        config = self._service.twin.current or SyncConfig()
        entry = LedgerEntry(event.key, event.camera, msgspec.json.encode(event), kind)
        recorded = self._ledger.record([entry], config.ledger_bytes)
        self._drops.tell(recorded.dropped)
        self._outbox.recorded(1, urgent=request.severity == "alert")
        while self._ledger.unsent(event.key, kind):
            if time.monotonic() - begun_s > request.timeout_s:
                held = self._outbox.held()
                why = "" if held is None else f"; '{held}' of the twin holds all but alerts back"
                raise MethodRefusedError(
                    503, f"event {event.key} is recorded and not acknowledged after {request.timeout_s:g} s{why}"
                )
            time.sleep(_LOOK_S)
        return TestReply(event.key, round(time.monotonic() - begun_s, 3))

    def _reply(self, backlog: Backlog) -> BacklogReply:
        priorities = {}
        for one, waiting in backlog.waiting.items():
            oldest = None if waiting.oldest_ms is None else round(max(0, backlog.age_ms - waiting.oldest_ms) / 1e3, 1)
            priorities[one.word] = WaitingReply(waiting.items, waiting.bytes, oldest)
        spent, held = backlog.spent, self._outbox.held()
        return BacklogReply(
            backlog.ledger, backlog.items, backlog.in_flight, backlog.used_bytes, backlog.dropped_total,
            self._ledger.set_aside(), priorities, backlog.dropped, None if held is None else held.value, backlog.clock,
            SpentReply(spent.day, spent.messages, spent.pieces, spent.bytes),
        )  # fmt: skip


def offer_outbox_methods(service: Service[SyncConfig], ledger: LedgerThread, outbox: Outbox, drops: Drops) -> None:
    methods = OutboxMethods(service, ledger, outbox, drops)
    service.method("get_backlog", GetBacklog, methods.get_backlog)
    service.method("flush", Flush, methods.flush)
    service.method("export_backlog", ExportBacklog, methods.export_backlog)
    service.method("purge", Purge, methods.purge)
    service.method("send_test_event", SendTestEvent, methods.send_test_event)
