"""When and how fast a device sends or fetches, by twin: quiet hours, a rate. Pure: the time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from vigie.events.schedule import counts
from vigie.events.settings import Clock, Day, Schedule


class QuietHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Hours in which what can wait does. ``end`` before ``begin`` goes over midnight; the day is that of ``begin``."""

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


def is_quiet(hours: QuietHours | None, now: datetime) -> bool:
    """Args: now: UTC."""
    if hours is None:
        return False
    local = now.astimezone(ZoneInfo(hours.time_zone))
    return counts(Schedule(days=hours.days, begin=hours.begin, end=hours.end), local)


@dataclass(slots=True)
class Rate:
    """A rate by debt: the next piece may go when what went before it is paid for, and it is paid for afterwards."""

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
