"""How long a live source may be silent before it is lost: by its own rhythm. Pure: time is an argument."""

from __future__ import annotations

from collections import deque
from statistics import median

LEAST_S = 5.0
PERIODS = 5
# A camera that sends so rarely that its period was never seen; beyond this it counts as lost all the same.
_UNSEEN_MOST_S = 60.0
_REMEMBERED = 9


class Patience:
    """One camera, over all its openings: what it has learned of the camera's period outlives a connection."""

    def __init__(self) -> None:
        """Nothing known."""
        self._announced_s = 1 / 25
        self._intervals: deque[float] = deque(maxlen=_REMEMBERED)
        self._unseen_s = LEAST_S
        self._first_s: float | None = None
        self._last_s = 0.0
        self._frames = 0

    @property
    def period_s(self) -> float:
        """Between frames: as seen, else as the source says."""
        return median(self._intervals) if self._intervals else self._announced_s

    @property
    def limit_s(self) -> float:
        """After this long without a frame the source is lost."""
        return max(self._unseen_s if not self._intervals else LEAST_S, PERIODS * self.period_s)

    @property
    def read_s(self) -> float:
        """A time-out for the decoder's reads: later than ``limit_s``, by which we judge ourselves."""
        return self.limit_s + 5.0

    @property
    def streamed_s(self) -> float:
        """For how long this opening has given frames; opening it does not count."""
        return 0.0 if self._first_s is None else self._last_s - self._first_s

    def open(self, now_s: float) -> None:
        """The source is about to be opened."""
        if self._frames == 1 and not self._intervals:
            # Connected, gave one frame and was then found silent: perhaps its next one was only not due yet.
            self._unseen_s = min(_UNSEEN_MOST_S, 2 * self._unseen_s)
        self._first_s, self._last_s, self._frames = None, now_s, 0

    def opened(self, period_s: float, now_s: float) -> None:
        """It is open; ``period_s``: what it says of itself."""
        self._announced_s, self._last_s = period_s, now_s

    def frame(self, at_s: float) -> None:
        """A frame came."""
        if self._first_s is None:
            self._first_s = at_s
        else:
            self._intervals.append(max(0.0, at_s - self._last_s))
        self._last_s = at_s
        self._frames += 1

    def lost(self, now_s: float) -> bool:
        """Whether the source has been silent for too long."""
        return now_s - self._last_s > self.limit_s
