"""One frame's time and name, as all rules get it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vigie.contracts.detections import DetectionsItem


@dataclass(frozen=True, slots=True)
class Moment:
    """``at_s``: seconds of the device's monotonic clock, which durations are taken of; ``at``: UTC, for people."""

    camera: str
    trace: str
    at_s: float
    at: str
    utc: datetime

    @classmethod
    def of(cls, item: DetectionsItem) -> Moment:
        return cls(
            item.camera, item.trace, item.captured_ns / 1e9, item.captured_at, datetime.fromisoformat(item.captured_at)
        )


def key_of(what: str, phase: str, moment: Moment) -> str:
    """The idempotency key of what ``moment`` brought about: a frame that is handed over twice gives it twice."""
    return f"{KEY}{what}/{phase}/{moment.trace}"


# What the keys of events begin with, and the trace of no frame does: a camera's name holds no slash.
KEY = "event/"
