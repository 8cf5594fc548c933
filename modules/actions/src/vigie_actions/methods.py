"""Direct methods of the actions module."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.errors import LedgerUnavailableError, MethodRefusedError
from vigie.ledger.erase_request import Erase
from vigie.ledger.priorities import Priority
from vigie.ledger.rows import LedgerEntry
from vigie.log import get_logger
from vigie.messaging.methods import NoRequest
from vigie.service import Service
from vigie_actions.config import ActionsConfig
from vigie_actions.deliveries import Deliveries
from vigie_actions.delivery import SinkDelivery
from vigie_actions.event import made_test_event

log = get_logger("actions")

_CAMERA = "test"


class SendTestEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``send_test_event``: to which sink, as ``webhooks.siren``, and how long to wait for its answer."""

    sink: str
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0


class SendTestEventReply(msgspec.Struct, frozen=True):
    """The sink has taken the event with this ``key``, so many seconds after the request."""

    sink: str
    key: str
    seconds: float


class SinkBacklog(msgspec.Struct, frozen=True):
    """What waits for one sink. ``late``: taken after the deadline, since the start.

    ``p99_seconds``: of the newest 1,000 events, from what happened to the sink's answer.
    """

    state: str
    reason: str
    waiting: int
    used_bytes: int
    dropped_total: int
    delivered: int
    late: int
    p99_seconds: float | None


class GetBacklogReply(msgspec.Struct, frozen=True):
    """Every sink of the twin, by its path."""

    sinks: dict[str, SinkBacklog]


class EraseReply(msgspec.Struct, frozen=True):
    """``items`` went, by sink. ``on_their_way``: not erased, they are being given to a sink.

    ``undated``: kept, they do not say when they were. ``unsearched``: damaged ledgers, and folders of sinks that left
    the twin.
    """

    items: int
    sinks: dict[str, int]
    on_their_way: int
    undated: int
    unsearched: list[str]


def offer_methods(service: Service[ActionsConfig], deliveries: Deliveries) -> None:
    """Answer ``send_test_event``, ``get_backlog`` and ``erase``."""
    numbers = itertools.count(1)

    def send_test_event(request: SendTestEvent) -> SendTestEventReply:
        found = {one.path: one for one in deliveries.all()}
        delivery = found.get(request.sink)
        if delivery is None:
            raise MethodRefusedError(404, f"no sink '{request.sink}'; there are: {', '.join(sorted(found)) or 'none'}")
        event = made_test_event(service.env.boot, next(numbers), _CAMERA, datetime.now(UTC))
        begun = time.monotonic()
        delivery.record([LedgerEntry(event.key, event.camera, msgspec.json.encode(event), Priority.EVENT)])
        if not delivery.wait_taken(event.key, request.timeout_s):
            reason = delivery.reason or "others wait before it"
            raise MethodRefusedError(503, f"not taken within {request.timeout_s:g} s: {reason}; it stays in the queue")
        return SendTestEventReply(delivery.path, event.key, round(time.monotonic() - begun, 3))

    def get_backlog(_: NoRequest) -> GetBacklogReply:
        return GetBacklogReply({one.path: _backlog(one) for one in deliveries.all()})

    def erase(request: Erase) -> EraseReply:
        what = request.erasure()
        erased = {one.path: one.erase(what, set_aside=request.set_aside) for one in deliveries.all()}
        reply = EraseReply(
            sum(one.items.total() for one in erased.values()),
            {path: one.items.total() for path, one in sorted(erased.items())},
            sum(one.on_their_way for one in erased.values()),
            sum(one.undated for one in erased.values()),
            [*(name for one in deliveries.all() for name in one.set_aside()), *deliveries.closed()],
        )
        log.info("erased", camera=request.camera, since=str(request.since), until=str(request.until), items=reply.items)
        return reply

    service.method("erase", Erase, erase)
    service.method("send_test_event", SendTestEvent, send_test_event)
    service.method("get_backlog", NoRequest, get_backlog)


def _backlog(delivery: SinkDelivery) -> SinkBacklog:
    state, reason = delivery.state, delivery.reason
    try:
        backlog = delivery.backlog()
    except LedgerUnavailableError as error:
        raise MethodRefusedError(503, str(error)) from error
    p99_s = delivery.p99_s()
    return SinkBacklog(
        state, reason, backlog.items + backlog.in_flight, backlog.used_bytes, backlog.dropped_total,
        delivery.delivered, delivery.late, None if p99_s is None else round(p99_s, 3),
    )  # fmt: skip
