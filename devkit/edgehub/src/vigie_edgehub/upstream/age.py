"""Whether the machine's clock may decide which messages are too old: not after it jumped.

A clock set 30 days ahead makes every message older than the bound at once. After a jump nothing is trimmed by age until
the bound has passed on the steady clock, or the jump is taken back; the bound on bytes holds all the while.
"""

from __future__ import annotations

import time

from vigie.log import get_logger

log = get_logger("hub.upstream")

# Above what NTP slews, far below any bound worth setting.
JUMP_S = 3600.0


class AgeGuard:
    """Told both clocks at each append, in seconds."""

    def __init__(self, max_age_s: float, wall: float, steady: float) -> None:
        """``wall`` and ``steady`` now: what the clock says at the start is believed."""
        self._max_age_s = max_age_s
        self._believed = self._last = wall - steady
        self._jumped_at: float | None = None

    def trusts(self, wall: float, steady: float) -> bool:
        """False: the clock jumped, keep what looks old."""
        offset = wall - steady
        jump_s, self._last = offset - self._last, offset
        if abs(jump_s) > JUMP_S:
            self._jumped_at = steady
            log.warning("clock_jumped", jump_s=round(jump_s), trimmed_by_age="not until it is steady for the bound")
        if self._jumped_at is None:
            return True
        if abs(offset - self._believed) <= JUMP_S or steady - self._jumped_at >= self._max_age_s:
            self._believed, self._jumped_at = offset, None
        return self._jumped_at is None


def steady_seconds() -> float:
    """A clock that no one sets and that goes on while the machine sleeps, where there is one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
