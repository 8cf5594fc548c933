"""What of the events goes upstream when: an object that is soon gone is told there once, by its end. Pure.

On the device everything is told as it happens. Upstream each item is paid for, and who reads there seldom needs to
hear of a part on a belt that it came, and four seconds later all of it again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from vigie.contracts.events import EventItem, ObjectEvent

# Objects are told late anyway: they wait so many times `batch_seconds` for others to share their message.
PATIENCE = 10


@dataclass(slots=True)
class _Held:
    since_s: float
    events: list[EventItem]


class Brief:
    """Used from one thread, but for ``erase``."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: an object that is gone within so long is told by its end alone; 0: everything at once."""
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def configure(self, seconds: float) -> None:
        """From the next call on; what is held now may be due by it."""
        self._seconds = seconds

    def sift(self, events: Iterable[EventItem], now_s: float) -> list[EventItem]:
        """Those of ``events`` that go now, in their order; the rest is held. ``now_s``: of a clock that only grows."""
        with self._lock:
            return [event for event in events if not self._holds(event, now_s)]

    def due(self, now_s: float) -> list[EventItem]:
        """What was held of objects that have stayed too long for it, unchanged, oldest first."""
        with self._lock:
            names = [name for name, held in self._held.items() if now_s - held.since_s >= self._seconds]
            return [event for name in names for event in self._held.pop(name).events]

    def close(self) -> list[EventItem]:
        """Everything that is held: no end of it will come."""
        with self._lock:
            held, self._held = self._held, {}
        return [event for one in held.values() for event in one.events]

    def erase(self, covers: Callable[[EventItem], bool]) -> list[EventItem]:
        """From any thread: forget those that ``covers`` names. Returns: them."""
        with self._lock:
            gone = [event for one in self._held.values() for event in one.events if covers(event)]
            for one in self._held.values():
                one.events = [event for event in one.events if event not in gone]
        return gone

    def _holds(self, event: EventItem, now_s: float) -> bool:
        if not isinstance(event, ObjectEvent) or event.severity == "alert":
            return False
        held = self._held.get(event.id)
        if event.phase == "end":
            self._held.pop(event.id, None)
            return False
        if held is None:
            if event.phase == "update" or self._seconds == 0:
                return False
            held = self._held[event.id] = _Held(now_s, [])
        held.events.append(event)
        return True


def upstream_form(event: EventItem) -> EventItem:
    """``event`` without its ``trace`` where the key ends with it, as that of nearly all does."""
    if event.trace and event.key.endswith(f"/{event.trace}"):
        return msgspec.structs.replace(event, trace="")
    return event
