"""Whether so much of a stream is damaged that its pictures are worth little. Pure: time is an argument."""

from __future__ import annotations

from collections import deque

WINDOW_S = 10.0
# Told from this share of damaged frames and packets on, over the whole window; over below half of it.
SHARE = 0.2
_LEAST = 10


class Flood:
    """Of one opening. A lost packet now and then is every network's; a fifth of them is a fault."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self._seen: deque[tuple[float, int, int]] = deque()
        self._frames = 0
        self._told = False

    def frame(self, now_s: float, damaged: int) -> bool:
        """A frame came; ``damaged``: frames and packets found damaged since opening. Whether it is a flood."""
        self._frames += 1
        self._seen.append((now_s, self._frames, damaged))
        while now_s - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        since_s, frames, before = self._seen[0]
        bad, good = damaged - before, self._frames - frames
        share = bad / max(1, bad + good)
        whole = now_s - since_s >= 0.8 * WINDOW_S
        self._told = share >= SHARE / 2 if self._told else whole and bad >= _LEAST and share >= SHARE
        return self._told
