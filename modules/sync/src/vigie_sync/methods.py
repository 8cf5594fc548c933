"""Direct methods of the sync module."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.errors import MethodRefusedError
from vigie.ledger.erasure import Erasure
from vigie.ledger.ledger_thread import LedgerThread
from vigie.log import get_logger
from vigie.service import Service
from vigie_sync.config import SyncConfig
from vigie_sync.drops import Drops
from vigie_sync.outbox import Outbox
from vigie_sync.outbox_methods import offer_outbox_methods
from vigie_sync.timeline import Timeline

log = get_logger("sync")


class Erase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``erase``: a camera, a span of time (ISO 8601 with its offset, both ends included), or both.

    ``set_aside``: damaged ledgers that were kept go as well, as a whole.
    """

    camera: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    since: datetime | None = None
    until: datetime | None = None
    set_aside: bool = False


class EraseReply(msgspec.Struct, frozen=True):
    """``items`` went, by camera. ``on_their_way``: not erased, they are in the message that is being sent.

    ``undated``: kept, they do not say when they were. ``set_aside``: damaged ledgers that are still there, unsearched.
    """

    items: int
    cameras: dict[str, int]
    on_their_way: int
    undated: int
    set_aside: list[str]


def offer_methods(
    service: Service[SyncConfig], ledger: LedgerThread, outbox: Outbox, timeline: Timeline, drops: Drops
) -> None:
    def erase(request: Erase) -> EraseReply:
        what = Erasure(request.camera, _with_offset("since", request.since), _with_offset("until", request.until))
        if what.camera is None and not what.timed:
            raise MethodRefusedError(400, "$: name a camera, or a span of time by 'since' or 'until'")
        if what.since is not None and what.until is not None and what.since > what.until:
            raise MethodRefusedError(400, "$.since: is after 'until'")
        erased = ledger.erase(what)
        timeline.erase(what)
        if request.set_aside:
            ledger.forget_set_aside()
        reply = EraseReply(
            erased.items.total(), dict(sorted(erased.items.items())), erased.on_their_way, erased.undated,
            ledger.set_aside(),
        )  # fmt: skip
        log.info("erased", camera=request.camera, since=str(request.since), until=str(request.until), items=reply.items)
        return reply

    service.method("erase", Erase, erase)
    offer_outbox_methods(service, ledger, outbox, drops)


def _with_offset(name: str, moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise MethodRefusedError(400, f"$.{name}: say which time zone, for instance {moment.isoformat()}Z")
    return moment
