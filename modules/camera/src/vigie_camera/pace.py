"""When a frame is due and whether the frame rate cap lets it through. Pure: time is an argument."""

from __future__ import annotations

from typing import Literal

Rhythm = Literal["live", "realtime", "max"]

# After a longer stall (a suspended machine, a slow disk) the file goes on from here instead of racing to catch up.
_BEHIND_MOST_S = 1.0


class Pacer:
    """One opening of a source. ``media_s`` is the frame's own time in seconds, ``now_s`` any monotonic clock."""

    def __init__(self, rhythm: Rhythm, fps_cap: float | None) -> None:
        """``fps_cap``: take at most this many frames per second of media time."""
        self._rhythm = rhythm
        self._period_s = None if fps_cap is None else 1.0 / fps_cap
        self._next_media_s: float | None = None
        self._offset_s: float | None = None

    def admits(self, media_s: float) -> bool:
        """Whether this frame is taken; with a cap, the first one of each period is."""
        if self._period_s is None:
            return True
        # Time stamps are rounded to milliseconds and jitter: half a millisecond early is on time.
        if self._next_media_s is not None and media_s < self._next_media_s - 0.0005:
            if self._next_media_s - media_s <= self._period_s * 1.5:
                return False
            self._next_media_s = None  # the source's clock went back
        due = media_s if self._next_media_s is None else self._next_media_s
        self._next_media_s = max(due, media_s - self._period_s) + self._period_s
        return True

    def wait_s(self, media_s: float, now_s: float) -> float:
        """How long to hold this frame back; 0 except for files and scenes at pace realtime."""
        if self._rhythm != "realtime":
            return 0.0
        if self._offset_s is None:
            self._offset_s = now_s - media_s
        wait = media_s + self._offset_s - now_s
        if not -_BEHIND_MOST_S <= wait <= _BEHIND_MOST_S + 10.0:
            self._offset_s = now_s - media_s
            return 0.0
        return max(0.0, wait)

    def restart(self) -> None:
        """The source begins again: its times start over."""
        self._next_media_s = None
        self._offset_s = None
