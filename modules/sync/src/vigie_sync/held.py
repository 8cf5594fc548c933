"""Frames that rules have seen and that wait to share a commit: for how long. No clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from vigie.contracts.detections import DetectionsItem
from vigie.messaging.reorder import Lane
from vigie.service import Received
from vigie_sync.event_entries import EventEntries

# What is no alert waits this long to share a commit, which costs as much for ten frames as for one. Not what came by
# the route: its sender has lingered already, and has few messages on their way.
LINGER_S = 0.1
# Messages that share a commit at most: half of what inference has on their way by doorbell.
GATHER = 32


@dataclass(slots=True)
class HeldFrame:
    """One frame and what is to be recorded of it.

    ``told``: what it brought about; ``boxes``: the frame itself is wanted; ``new`` is false for one that is left out
    or was there before.
    """

    item: DetectionsItem
    told: EventEntries = field(default_factory=EventEntries)
    boxes: bool = False
    new: bool = True


@dataclass(slots=True)
class Held:
    """Messages whose frames wait for their commit, since ``since_s``."""

    since_s: float = 0.0
    messages: list[Received[DetectionsItem]] = field(default_factory=list)
    taken: list[HeldFrame] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Nothing more is to be added before they are committed."""
        return len(self.messages) >= GATHER

    def add(self, message: Received[DetectionsItem], taken: list[HeldFrame], now_s: float) -> None:
        if not self.messages:
            self.since_s = now_s
        self.messages.append(message)
        self.taken += taken

    def due_at_s(self, *, alert: bool) -> float:
        """When they are to be committed. ``alert``: one is among them."""
        at_once = alert or self.full or any(message.lane is Lane.ROUTE for message in self.messages)
        return self.since_s if at_once else self.since_s + LINGER_S
