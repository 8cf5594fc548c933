"""Capture to commit in milliseconds: the newest values, bounded, and their quantiles."""

from __future__ import annotations

from collections import deque

WINDOW = 2_000


class LatencyWindow:
    """Keeps the newest ``size`` values; one thread adds, the same one asks."""

    def __init__(self, size: int = WINDOW) -> None:
        """``size``: about a minute of one camera at 30 fps."""
        self._newest_ms: deque[float] = deque(maxlen=size)

    def add(self, latency_ms: float) -> None:
        self._newest_ms.append(latency_ms)

    def quantiles(self, *wanted: float) -> list[float]:
        """Nearest-rank quantiles of what is kept; empty if nothing is."""
        if not self._newest_ms:
            return []
        ordered = sorted(self._newest_ms)
        return [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in wanted]
