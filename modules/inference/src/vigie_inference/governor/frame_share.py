"""Which frames are inferred when only a share of them is: evenly spread, each camera for itself."""

from __future__ import annotations


class FrameShare:
    """For one thread at a time. ``share``: 0..1, set by another thread."""

    def __init__(self) -> None:
        self.share = 1.0
        self._sums: dict[str, float] = {}

    def takes(self, lane: str) -> bool:
        """Whether the next frame of ``lane`` is inferred: of n frames the share, never more than one apart."""
        share = self.share
        if share >= 1.0:
            self._sums.clear()
            return True
        # The first frame of a camera is taken, so that a rare one is not waited for.
        total = self._sums.get(lane, 1.0 - share) + share
        taken = total >= 1.0 - 1e-9
        self._sums[lane] = total - 1.0 if taken else total
        return taken
