"""When the rules want to be asked again."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Fire = Callable[[float], None]


class Timers:
    """A heap of callbacks. Nothing is ever cancelled: a callback checks whether it still matters."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Fire]] = []
        self._order = count()

    def at(self, when: float, fire: Fire) -> None:
        heappush(self._heap, (when, next(self._order), fire))

    @property
    def next_at(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Call everything that is due, in order of time, also what the callbacks add for ``now``."""
        while self._heap and self._heap[0][0] <= now:
            heappop(self._heap)[2](now)
