"""What may go upstream when, by twin: quiet hours, budgets per day, a rate. Pure; alerts pass all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from vigie.events.schedule import counts
from vigie.events.settings import Clock, Day, Schedule
from vigie.ledger.spent import Spent

_Limit = Annotated[int, Meta(ge=1, le=1 << 50)]


class QuietHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Hours in which only alerts go. ``end`` before ``begin`` goes over midnight; the day is that of ``begin``."""

    begin: Annotated[Clock, Meta(description="As 22:00, in `time_zone`.")]
    end: Annotated[Clock, Meta(description="As 06:00; the same as `begin`: the whole day.")]
    days: (
        Annotated[list[Day], Meta(min_length=1, description="Days on which they begin; absent: every day.")] | None
    ) = None
    time_zone: Annotated[
        str, Meta(pattern="^[A-Za-z0-9_+/-]+$", max_length=64, description="Of the IANA database, as Europe/Paris.")
    ] = "UTC"

    def __post_init__(self) -> None:
        """Refuse a time zone that is not known here."""
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"time zone '{self.time_zone}' is not known here; expected a name as Europe/Paris, or UTC"
            ) from None


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
    if (quiet := sending.quiet_hours) is not None:
        local = now.astimezone(ZoneInfo(quiet.time_zone))
        if counts(Schedule(days=quiet.days, begin=quiet.begin, end=quiet.end), local):
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


@dataclass(slots=True)
class Rate:
    """A rate by debt: a message may go when what was sent before it is paid for, and it is paid for afterwards."""

    per_second: int | None = None
    _paid_at_s: float = 0.0

    def wait_s(self, now_s: float) -> float:
        return 0.0 if self.per_second is None else max(0.0, self._paid_at_s - now_s)

    def sent(self, size: int, now_s: float) -> None:
        if self.per_second is not None:
            self._paid_at_s = max(self._paid_at_s, now_s) + size / self.per_second

    def change(self, per_second: int | None, now_s: float) -> None:
        """What is still owed is paid at the new rate."""
        owed = self.wait_s(now_s) * (self.per_second or 0)
        self.per_second = per_second
        self._paid_at_s = now_s + (owed / per_second if per_second else 0.0)
