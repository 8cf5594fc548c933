"""Direct methods of the sync module."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from vigie.ledger.erase_request import Erase
from vigie.ledger.ledger_thread import LedgerThread
from vigie.log import get_logger
from vigie.service import Service
from vigie_sync.config import SyncConfig
from vigie_sync.drops import Drops
from vigie_sync.event_entries import EventEncoder
from vigie_sync.handover import Handover
from vigie_sync.outbox import Outbox
from vigie_sync.outbox_methods import offer_outbox_methods
from vigie_sync.timeline import Timeline

log = get_logger("sync")


class EraseReply(msgspec.Struct, frozen=True):
    """``items`` went, by camera. ``on_their_way``: not erased, they are in the message that is being sent.

    ``undated``: kept, they do not say when they were. ``for_modules``: what went of the copies that wait for a module
    of this device; what it has already is its own to erase. ``set_aside``: damaged ledgers that are still there,
    unsearched.
    """

    items: int
    cameras: dict[str, int]
    on_their_way: int
    undated: int
    for_modules: dict[str, int]
    set_aside: list[str]


def offer_methods(  # noqa: PLR0917 - each is one of the module's parts
    service: Service[SyncConfig],
    ledger: LedgerThread,
    outbox: Outbox,
    timeline: Timeline,
    encoder: EventEncoder,
    drops: Drops,
    handovers: Sequence[Handover],
) -> None:
    def erase(request: Erase) -> EraseReply:
        what = request.erasure()
        held_back = encoder.erase(what)
        erased = ledger.erase(what)
        erased.items.update(held_back)
        timeline.erase(what)
        copies = {one.receiver: one.erase(what, set_aside=request.set_aside) for one in handovers}
        if request.set_aside:
            ledger.forget_set_aside()
        reply = EraseReply(
            erased.items.total(),
            dict(sorted(erased.items.items())),
            erased.on_their_way + sum(one.on_their_way for one in copies.values()),
            erased.undated + sum(one.undated for one in copies.values()),
            {name: one.items.total() for name, one in copies.items()},
            [*ledger.set_aside(), *(name for one in handovers for name in one.set_aside())],
        )
        log.info("erased", camera=request.camera, since=str(request.since), until=str(request.until), items=reply.items)
        return reply

    service.method("erase", Erase, erase)
    offer_outbox_methods(service, ledger, outbox, drops)
