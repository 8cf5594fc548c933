"""Whether the machine's clock may decide which messages are too old: not after it jumped.

A clock set 30 days ahead makes every message older than the bound at once. After a jump nothing is trimmed by age until
the bound has passed on the steady clock, or the jump is taken back; the bound on bytes holds all the while. What is
known is kept with the record: a hub that starts anew after the jump would otherwise believe the wrong time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from vigie.log import get_logger

log = get_logger("hub.upstream")

# Above what NTP slews, far below any bound worth setting.
JUMP_S = 3600.0
_KEPT_WITHIN_S = 60.0


@dataclass(frozen=True)
class ClockMark:
    """What was known of the clock in one boot of the machine: offsets are wall minus steady, in seconds.

    ``jumped_at_s``: on the steady clock; None: the clock is trusted.
    """

    boot: str
    believed_s: float
    last_s: float
    jumped_at_s: float | None = None

    def differs(self, other: ClockMark | None) -> bool:
        """By more than a clock that is slewed: worth being kept."""
        if other is None or (self.boot, self.jumped_at_s) != (other.boot, other.jumped_at_s):
            return True
        return max(abs(self.believed_s - other.believed_s), abs(self.last_s - other.last_s)) > _KEPT_WITHIN_S


class AgeGuard:
    """Told both clocks at each append, in seconds."""

    def __init__(
        self, max_age_s: float, wall: float, steady: float, boot: str = "", kept: ClockMark | None = None
    ) -> None:
        """``wall`` and ``steady`` now. ``kept``: of a former process; in the same ``boot`` its steady clock goes on, so
        that a jump meanwhile shows. In another boot what the clock says at the start is believed.
        """
        self._max_age_s = max_age_s
        if kept is not None and boot and kept.boot == boot:
            self.mark = kept
        else:
            self.mark = ClockMark(boot, wall - steady, wall - steady)

    def trusts(self, wall: float, steady: float) -> bool:
        """False: the clock jumped, keep what looks old."""
        offset, believed, jumped_at = wall - steady, self.mark.believed_s, self.mark.jumped_at_s
        jump_s = offset - self.mark.last_s
        if abs(jump_s) > JUMP_S:
            jumped_at = steady
            log.warning("clock_jumped", jump_s=round(jump_s), trimmed_by_age="not until it is steady for the bound")
        if jumped_at is not None and (abs(offset - believed) <= JUMP_S or steady - jumped_at >= self._max_age_s):
            believed, jumped_at = offset, None
        self.mark = ClockMark(self.mark.boot, believed, offset, jumped_at)
        return jumped_at is None


def boot_name() -> str:
    """Of this start of the machine's kernel; empty where it has no name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def steady_seconds() -> float:
    """A clock that no one sets and that goes on while the machine sleeps, where there is one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
