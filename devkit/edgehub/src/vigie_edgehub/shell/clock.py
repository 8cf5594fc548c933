"""Seconds since the epoch that never run backwards."""

from __future__ import annotations

import time


class Clock:
    """Wall time at the start plus monotonic time since: a corrected clock expires no message early."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        return self._offset + time.monotonic()
