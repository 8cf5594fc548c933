"""Does a rule count at a moment? Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from vigie.events.settings import Schedule

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def counts(schedule: Schedule | None, at: datetime) -> bool:
    """Args: at: in UTC."""
    if schedule is None:
        return True
    now, begin, end = f"{at:%H:%M}", schedule.begin, schedule.end
    days = schedule.days or _DAYS
    today, yesterday = _DAYS[at.weekday()], _DAYS[(at - timedelta(days=1)).weekday()]
    if begin < end:
        return today in days and begin <= now < end
    return (today in days and now >= begin) or (yesterday in days and now < end)
