"""What this module reads of an event: enough to choose and to date it. The rest goes through as it came."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from vigie.contracts.events import CheckEvent
from vigie.events.moment import KEY
from vigie_actions.config import WantedEvents


class EventHead(msgspec.Struct, frozen=True):
    """The members of an event that every type has."""

    key: str
    camera: str
    type: str
    phase: str
    at: str
    severity: str = "event"


def made_test_event(boot: str, number: int, camera: str, now: datetime) -> CheckEvent:
    """An event that tells of nothing, at ``now``; ``boot`` and ``number`` make its key."""
    at = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    name = f"test-{boot}-{number}"
    return CheckEvent(
        key=f"{KEY}{name}", id=name, phase="end", camera=camera, trace=name, at=at, started_at=at, seconds=0.0,
        text="A test by the method send_test_event; nothing happened.",
    )  # fmt: skip


def is_wanted(wanted: WantedEvents, event: EventHead) -> bool:
    """Whether a sink with these wishes gets ``event``."""
    return (
        (wanted.types is None or event.type in wanted.types)
        and (wanted.phases is None or event.phase in wanted.phases)
        and (wanted.severity == "event" or event.severity == "alert")
        and (wanted.cameras is None or event.camera in wanted.cameras)
    )
