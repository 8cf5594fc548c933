"""What was sent on one day: what budgets are measured by. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Spent:
    """``day``: UTC, as 2026-11-28; empty: none yet. Tries count, for the hub may have taken what it did not confirm."""

    day: str = ""
    messages: int = 0
    pieces: int = 0
    bytes: int = 0

    def on(self, day: str) -> Spent:
        """Of ``day``. A clock that goes back by a day begins no new one; one that was far ahead does."""
        if day == self.day or _is_the_day_before(day, self.day):
            return self
        return Spent(day)

    def plus(self, day: str, size: int, pieces: int) -> Spent:
        """With one more message."""
        now = self.on(day) if day else self
        return Spent(now.day, now.messages + 1, now.pieces + pieces, now.bytes + size)


def _is_the_day_before(day: str, other: str) -> bool:
    try:
        return (date.fromisoformat(other) - date.fromisoformat(day)).days == 1
    except ValueError:
        return False
