"""What may go upstream when, by twin: quiet hours and budgets per day. Pure; alerts pass all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.ledger.spent import Spent
from vigie.transfers import QuietHours, is_quiet

_Limit = Annotated[int, Meta(ge=1, le=1 << 50)]


class Sending(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When and how what waits is sent. Alerts go at once, whatever holds the rest back; they count."""

    gzip: Annotated[
        bool,
        Meta(description="Compress bodies (`contentEncoding: gzip`). IoT Hub's routing queries cannot read them then."),
    ] = False
    bytes_per_second: (
        Annotated[int, Meta(ge=512, le=1 << 40, description="Rate of messages; absent: as fast as it goes.")] | None
    ) = None
    bytes_per_day: Annotated[_Limit, Meta(description="Per day, which begins at 00:00 UTC.")] | None = None
    messages_per_day: Annotated[_Limit, Meta(description="Per day, which begins at 00:00 UTC.")] | None = None
    pieces_per_day: (
        Annotated[_Limit, Meta(description="Pieces of 4,096 bytes, as IoT Hub bills; per day from 00:00 UTC.")] | None
    ) = None
    quiet_hours: QuietHours | None = None


class Hold(StrEnum):
    """Why nothing but alerts goes."""

    QUIET_HOURS = "quiet_hours"
    BYTES = "bytes_per_day"
    MESSAGES = "messages_per_day"
    PIECES = "pieces_per_day"


def hold(sending: Sending, spent: Spent, now: datetime | None) -> Hold | None:
    """Args: now: UTC; None: the clock cannot be right, so there are no hours and no days. ``spent``: of its own day."""
    if now is None:
        return None
    if is_quiet(sending.quiet_hours, now):
        return Hold.QUIET_HOURS
    today = spent.on(day_of(now))
    for limit, used, why in (
        (sending.bytes_per_day, today.bytes, Hold.BYTES),
        (sending.messages_per_day, today.messages, Hold.MESSAGES),
        (sending.pieces_per_day, today.pieces, Hold.PIECES),
    ):
        if limit is not None and used >= limit:
            return why
    return None


def day_of(now: datetime) -> str:
    """The day that a budget is of."""
    return now.astimezone(UTC).date().isoformat()
