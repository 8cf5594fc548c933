"""A seeded sample of mutants: each area gives its number of places, each place one of the changes possible there."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Place:
    """What an operator changes, and where. ``line`` counts from 1, ``column`` from 0."""

    path: str
    line: int
    column: int
    operator: str
    occurrence: int

    @property
    def site(self) -> tuple[str, int, int, str]:
        """All changes of one kind of one thing: one ``+`` becomes eleven other operators, a ``True`` only ``False``."""
        return self.path, self.line, self.column, self.operator.rpartition("/")[2].partition("Operator_")[0]


def sampled(places: Sequence[Place], count: int, seed: str) -> list[Place]:
    """``count`` of ``places``, at most one of each site; the same for the same ``seed`` and the same sources."""
    chance = random.Random(seed)
    sites: dict[tuple[str, int, int, str], list[Place]] = defaultdict(list)
    for place in sorted(places):
        sites[place.site].append(place)
    chosen = chance.sample(sorted(sites), min(count, len(sites)))
    return sorted(chance.choice(sites[site]) for site in chosen)


def place_of(found: dict[str, Any]) -> Place:
    return Place(**{name: found[name] for name in ("path", "line", "column", "operator", "occurrence")})
