"""Events as entries of ledgers: for modules of this device as they happen, for the cloud as it needs them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from vigie.contracts.events import EventItem, ObjectEvent
from vigie.contracts.lanes import camera_of
from vigie.events.brief import Brief, upstream_form
from vigie.events.settings import EventSettings
from vigie.ledger.erasure import Erasure
from vigie.ledger.priorities import priority
from vigie.ledger.rows import LedgerEntry

_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class EventEntries:
    """What is to be recorded of events: ``local`` for receivers on the device, ``upstream`` for the cloud.

    ``alerts``: one is among them; ``patient``: nothing but objects goes upstream, which are told late anyway.
    """

    events: list[EventItem] = field(default_factory=list)
    local: list[LedgerEntry] = field(default_factory=list)
    upstream: list[LedgerEntry] = field(default_factory=list)
    alerts: bool = False
    patient: bool = True

    def add(self, more: EventEntries) -> None:
        """What ``more`` has, after what is here."""
        self.events += more.events
        self.local += more.local
        self.upstream += more.upstream
        self.alerts = self.alerts or more.alerts
        self.patient = self.patient and more.patient


class EventEncoder:
    """Used from one thread, but for ``erase``."""

    def __init__(self) -> None:
        self._brief = Brief(EventSettings().brief_seconds)

    def configure(self, settings: EventSettings) -> None:
        """From the next event on."""
        self._brief.configure(settings.brief_seconds)

    def of(self, events: list[EventItem], now_s: float) -> EventEntries:
        """``events``, in the order in which they came about. ``now_s``: of the monotonic clock."""
        return self._told(events, self._brief.sift(events, now_s))

    def due(self, now_s: float) -> EventEntries:
        """What was held back and has to go upstream now; on the device it was told before."""
        return self._told([], self._brief.due(now_s))

    def close(self) -> EventEntries:
        """What was held back and has no end."""
        return self._told([], self._brief.close())

    def erase(self, what: Erasure) -> Counter[str]:
        """Forget what is held back and ``what`` covers. Returns: how many, by camera."""
        gone = self._brief.erase(lambda event: what.covers(event.camera, _encoder.encode(event)) is True)
        return Counter(event.camera for event in gone)

    def _told(self, events: list[EventItem], upstream: list[EventItem]) -> EventEntries:
        return EventEntries(
            events,
            [_entry(event) for event in events],
            [_entry(upstream_form(event)) for event in upstream],
            alerts=any(event.severity == "alert" for event in upstream),
            patient=all(isinstance(event, ObjectEvent) for event in upstream),
        )


def _entry(event: EventItem) -> LedgerEntry:
    kind = str(event.__struct_config__.tag)
    return LedgerEntry(event.key, camera_of(event.camera), _encoder.encode(event), priority(kind, event.severity))
