"""Brings a frame and what was seen in it together: by trace, which no two frames share. No clock, no I/O."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.frames import FrameItem

P = TypeVar("P")

# Frames that wait for their detections: two seconds of a quick camera. A claim is some hundred bytes.
WAITING_MAX = 64
# Inference that has been silent this long does not hold pictures back any longer.
SILENT_S = 1.5


@dataclass(slots=True)
class PendingFrame(Generic[P]):
    """A frame and, where claims alone do not last until the detections come, its picture made ahead."""

    frame: FrameItem
    picture: P | None = None


@dataclass(slots=True)
class Pairing(Generic[P]):
    """One camera's frames and detections. A box is only ever shown on the frame in which it was found."""

    waiting: OrderedDict[str, PendingFrame[P]] = field(default_factory=OrderedDict)
    early: OrderedDict[str, DetectionsItem] = field(default_factory=OrderedDict)
    detected_at: float = float("-inf")

    def frame(self, waiting: PendingFrame[P], now: float) -> tuple[PendingFrame[P], DetectionsItem | None] | None:
        """A frame came. What can be shown now: it with its detections, or it alone while inference is silent."""
        trace = waiting.frame.trace
        found = self.early.pop(trace, None)
        if found is not None or now - self.detected_at > SILENT_S:
            return waiting, found
        self.waiting[trace] = waiting
        while len(self.waiting) > WAITING_MAX:
            self.waiting.popitem(last=False)
        return None

    def detections(self, item: DetectionsItem, now: float) -> tuple[PendingFrame[P], DetectionsItem] | None:
        """Detections came; frames before theirs got none and go. None: their frame has not come."""
        self.detected_at = now
        if item.trace not in self.waiting:
            self.early[item.trace] = item
            while len(self.early) > WAITING_MAX:
                self.early.popitem(last=False)
            return None
        while True:
            trace, waiting = self.waiting.popitem(last=False)
            if trace == item.trace:
                return waiting, item
