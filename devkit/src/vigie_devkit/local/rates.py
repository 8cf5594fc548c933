"""How fast counters grow, over the last seconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

RATE_OVER_S = 5.0


@dataclass
class Rates:
    """Growth per second of each counter, by key."""

    looks: deque[tuple[float, dict[str, int]]] = field(default_factory=deque)

    def add(self, now: float, counts: dict[str, int]) -> None:
        self.looks.append((now, counts))
        while self.looks[-1][0] - self.looks[0][0] > RATE_OVER_S:
            self.looks.popleft()

    def per_second(self, key: str) -> float:
        """0.0 before there are two looks."""
        if not self.looks:
            return 0.0
        (begun, first), (ended, last) = self.looks[0], self.looks[-1]
        return (last.get(key, 0) - first.get(key, 0)) / (ended - begun) if ended > begun else 0.0

    def latest(self) -> dict[str, int]:
        return self.looks[-1][1] if self.looks else {}

    def sum_per_second(self) -> float:
        return sum(self.per_second(key) for key in self.latest())
