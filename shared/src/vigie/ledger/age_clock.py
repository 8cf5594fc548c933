"""How old items are, on devices whose clock may be wrong.

The ledger keeps an age of its own: it runs with the monotonic clock while the module runs, and gains the time that the
device was off when both wall times can be true. A clock that is set while it runs makes no item older, and neither
does a first boot in 1970.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

# No device with this software was made before it.
_PLAUSIBLE_S = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
STEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Stamp:
    """Saved together, in milliseconds: the age, and what the wall clock showed then."""

    age_ms: int
    wall_ms: int


def plausible(wall_s: float) -> bool:
    """Whether a wall clock can be right."""
    return wall_s >= _PLAUSIBLE_S


def away_ms(saved: Stamp, wall_s: float) -> int:
    """How long the device was off; 0 where the wall clock cannot tell."""
    if not (plausible(saved.wall_ms / 1e3) and plausible(wall_s)):
        return 0
    return max(0, int(wall_s * 1e3) - saved.wall_ms)


class AgeClock:
    """Begins where ``saved`` ended."""

    def __init__(
        self,
        saved: Stamp,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic, self._wall = monotonic, wall
        self._begun_s, self._begun_wall_s = monotonic(), wall()
        self._base_ms = saved.age_ms + away_ms(saved, self._begun_wall_s)

    def now_ms(self) -> int:
        return self._base_ms + int((self._monotonic() - self._begun_s) * 1e3)

    def stamp(self) -> Stamp:
        return Stamp(self.now_ms(), int(self._wall() * 1e3))

    def doubt(self) -> str | None:
        """What is wrong with the wall clock, for people; None: nothing that shows."""
        wall_s = self._wall()
        if not plausible(wall_s):
            shown = datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%d %H:%M")
            return f"the clock shows {shown} UTC, which cannot be: set it (NTP); quiet hours and budgets per day wait"
        step_s = (wall_s - self._begun_wall_s) - (self._monotonic() - self._begun_s)
        if abs(step_s) > STEP_S:
            return f"the clock was set by {step_s:+.0f} s while the module ran; ages of items do not follow it"
        return None
