"""Direct methods of the sync module."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.errors import MethodRefusedError
from vigie.ledger.ledger import Backlog
from vigie.ledger.ledger_thread import LedgerThread
from vigie.service import Service
from vigie_sync.config import SyncConfig
from vigie_sync.outbox import Outbox


class GetBacklog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``get_backlog``: no arguments."""


class Flush(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``flush``: how long to wait until nothing is left."""

    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0


class BacklogReply(msgspec.Struct, frozen=True):
    """What waits in the ledger. ``dropped_total`` since the ledger was made; ``set_aside``: damaged files kept."""

    ledger: str
    items: int
    in_flight: int
    used_bytes: int
    dropped_total: int
    set_aside: list[str]


def offer_methods(service: Service[SyncConfig], ledger: LedgerThread, outbox: Outbox) -> None:
    def reply(backlog: Backlog) -> BacklogReply:
        return BacklogReply(
            backlog.ledger,
            backlog.items,
            backlog.in_flight,
            backlog.used_bytes,
            backlog.dropped_total,
            ledger.set_aside(),
        )

    def get_backlog(_: GetBacklog) -> BacklogReply:
        return reply(ledger.backlog())

    def flush(request: Flush) -> BacklogReply:
        done = outbox.flush(request.timeout_s)
        backlog = ledger.backlog()
        if not done:
            left = backlog.items + backlog.in_flight
            raise MethodRefusedError(503, f"{left} items are left after {request.timeout_s:g} s; try again")
        return reply(backlog)

    service.method("get_backlog", GetBacklog, get_backlog)
    service.method("flush", Flush, flush)
