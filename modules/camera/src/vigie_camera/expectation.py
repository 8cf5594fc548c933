"""Whether a camera sends what it should: rate and size, by twin or as it used to. Pure: time is an argument."""

from __future__ import annotations

from collections import deque

from vigie_camera.cause import Cause
from vigie_camera.config import Expected

WINDOW_S = 10.0
# A camera that is to send less than once in two seconds is judged over so many of its periods.
_PERIODS = 5
_LEARNED_OVER_S = 60.0
# Told outside of these shares of the rate, and over within those: exposure in the dark takes a third, jitter a tenth.
_WRONG = (0.6, 1.6)
_RIGHT = (0.75, 1.3)


class Expectation:
    """Of one camera, over all its openings."""

    def __init__(self, expected: Expected | None, fps_cap: float | None) -> None:
        """``fps_cap``: more frames per second than that are not taken, so no more are expected."""
        self._size = None if expected is None else expected.size
        self._learns = expected is not None and expected.learn and expected.fps is None
        self._cap = fps_cap
        self.fps = None if expected is None or expected.fps is None else self._capped(expected.fps)
        self._times: deque[float] = deque()
        self._wrong = False

    def opened(self) -> None:
        """Another opening: the gap before it is no slow rate."""
        self._times.clear()

    def frame(self, at_s: float, size_hw: tuple[int, int]) -> Cause | None:
        """A frame came. ``size_hw``: upright. Returns: what is wrong with the stream."""
        if self._size is not None and self._size != f"{size_hw[1]}x{size_hw[0]}":
            return Cause.SIZE
        if self.fps is None and not self._learns:
            return None
        self._times.append(at_s)
        window_s = _LEARNED_OVER_S if self.fps is None else max(WINDOW_S, _PERIODS / self.fps)
        while len(self._times) > 2 and at_s - self._times[1] > window_s:
            self._times.popleft()
        span_s = at_s - self._times[0]
        if span_s < window_s * 0.95:
            return Cause.RATE if self._wrong else None
        rate = (len(self._times) - 1) / span_s
        if self.fps is None:
            self.fps = self._capped(rate)
            return None
        share = rate / self.fps
        low, high = _RIGHT if self._wrong else _WRONG
        self._wrong = not low <= share <= high
        return Cause.RATE if self._wrong else None

    def _capped(self, fps: float) -> float:
        return fps if self._cap is None else min(fps, self._cap)
