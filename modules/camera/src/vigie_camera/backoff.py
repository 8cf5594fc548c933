"""Pauses between attempts to open a source. Pure: randomness is an argument."""

from __future__ import annotations

from collections.abc import Callable

FIRST_S = 0.25
MOST_S = 30.0
# A source that streamed this long was well: its next trouble is a new one.
STEADY_AFTER_S = 10.0


class Backoff:
    """0.25 s doubling to 30 s, each between 75 and 125 percent of that.

    The jitter keeps a site's cameras from coming back in one rush after a power cut.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        """``random()``: 0..1."""
        self._random = random
        self._failures = 0

    def after_crash_s(self) -> float:
        """The pause after the decoder's own process ended: none the first time, for the source was well.

        From the second crash in a row on it is what any other failure gets: a stream may crash each decoder it meets.
        """
        if self._failures == 0:
            self._failures = 1
            return 0.0
        return self.next_s()

    def next_s(self) -> float:
        """The pause after one more failure."""
        base = min(MOST_S, FIRST_S * float(1 << min(self._failures, 10)))
        self._failures += 1
        return min(MOST_S, base * (0.75 + 0.5 * self._random()))

    def streamed(self, seconds: float) -> None:
        """The source gave frames for ``seconds`` before it failed; the time it took to open does not count."""
        if seconds >= STEADY_AFTER_S:
            self._failures = 0
