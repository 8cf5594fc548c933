"""Tells the cloud where evidence is, as an event by way of sync: after it is there, and until sync has recorded it."""

from __future__ import annotations

import threading

from vigie.contracts import envelope, names
from vigie.contracts.events import EvidenceEvent
from vigie.events.moment import KEY
from vigie.log import get_logger
from vigie.messaging.output import Output
from vigie.service import Service
from vigie_evidence.config import EvidenceConfig
from vigie_evidence.spool import Item, Spool, SpoolEntry

log = get_logger("evidence.telling")

_POLL_S = 0.5
_CONFIRM_S = 5.0


class Telling:
    """One thread. An item stays in the spool until sync's cursor says that it has the event on its own disk."""

    def __init__(self, service: Service[EvidenceConfig], spool: Spool) -> None:
        """Declares the output; before ``service.start``."""
        self._service, self._spool = service, spool
        self._output: Output[EvidenceEvent] = service.output(
            names.EVENTS, (names.SYNC, names.EVENTS), schema=envelope.EVENTS, window_messages=1
        )
        self._wake = threading.Event()

    def wake(self, _: SpoolEntry) -> None:
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        alive = self._service.health.watch("evidence.telling", 60.0)
        while not stop.is_set():
            alive.beat()
            done = [one for one in self._spool.all() if one.item.uploaded]
            if not done:
                self._wake.wait(_POLL_S)
                self._wake.clear()
                continue
            for one in done:
                event = event_of(one.item)
                if event is not None:
                    self._output.offer(event, key=one.stem, keep=True)
            # Only when nothing is outstanding is everything of it confirmed.
            while not stop.is_set() and not self._output.wait_for_room(stop, _CONFIRM_S, limit=1):
                alive.beat()
            if stop.is_set():
                return
            for one in done:
                self._spool.remove(one)


def event_of(item: Item) -> EvidenceEvent | None:
    """None: a sample, which is nobody's event."""
    facts, about = item.facts, item.facts.about
    if about is None:
        return None
    return EvidenceEvent(
        key=f"{KEY}evidence/{item.target}/{facts.name}",
        id=about.id,
        phase="end",
        severity="event",
        camera=facts.camera,
        trace=facts.trace,
        at=facts.at,
        started_at=facts.at,
        seconds=facts.seconds or 0.0,
        about=about.key,
        kind="clip" if facts.kind == "clip" else "snapshot",
        url=item.url,
        content_type=facts.content_type,
        bytes=facts.bytes,
        sha256=facts.sha256,
        label=about.label,
        zone=about.zone,
        verified=item.verified,
    )
