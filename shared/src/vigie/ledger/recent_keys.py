"""Idempotency keys of the newest items: what comes twice is recorded once."""

from __future__ import annotations

from collections.abc import Iterable

from vigie.events.moment import KEY


class RecentKeys:
    """The newest ``most`` of boxes, and as many of events: a flood of one does not make the other forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._boxes: dict[str, None] = {}
        self._events: dict[str, None] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._boxes or key in self._events

    def add(self, keys: Iterable[str]) -> None:
        for key in keys:
            (self._events if key.startswith(KEY) else self._boxes)[key] = None
        for known in (self._boxes, self._events):
            while len(known) > self._most:
                del known[next(iter(known))]
