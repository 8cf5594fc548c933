"""Asks the camera module to keep pictures and clips of events, and samples: at once, for its ring forgets in tenths."""

from __future__ import annotations

import threading
from typing import Any

from vigie.contracts import envelope, names
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.disagreement import Disagreement
from vigie.contracts.events import EventItem, ModelDrift
from vigie.contracts.keep import KeepItem
from vigie.drop_reason import DropReason
from vigie.events.evidence import Chooser, EvidenceSettings
from vigie.events.sampling import Sampler, Sampling
from vigie.messaging.output import Output
from vigie.service import Service

# Requests that wait for a camera module that is away: its frames are gone then, so that old ones may go.
_WAITING_MAX = 64


class Keeping:
    """Used by the receiving thread, but for ``hear`` and ``disagree``."""

    def __init__(self, service: Service[Any]) -> None:
        """Declares the output; before ``service.start``."""
        self._service = service
        self._output: Output[KeepItem] = service.output(
            names.KEEP, (names.CAMERA, names.KEEP), schema=envelope.KEEP, depth=_WAITING_MAX
        )
        self._chooser, self._sampler = Chooser(), Sampler()
        self._never = threading.Event()
        self._asked = service.metrics.counter(
            "vigie_evidence_asked_total", "Pictures and clips that the camera module was asked to keep.", ("what",)
        )

    def configure(self, evidence: EvidenceSettings, sampling: Sampling) -> None:
        self._chooser.configure(evidence)
        self._sampler.configure(sampling)

    def hear(self, event: ModelDrift) -> None:
        """From any thread: what inference says of its model."""
        self._sampler.hear(event)

    def disagree(self, told: Disagreement, now_s: float) -> None:
        """From any thread: two models saw different things in a frame."""
        if (sample := self._sampler.disagree(told, now_s)) is not None:
            self._ask(sample)

    def look(self, item: DetectionsItem, events: list[EventItem], now_s: float) -> None:
        """One frame and what came of it."""
        wanted: list[KeepItem] = self._chooser.choose(item, events, now_s)
        if (sample := self._sampler.choose(item, now_s)) is not None:
            wanted.append(sample)
        for one in wanted:
            self._ask(one)
        for camera, count in self._chooser.dropped.items():
            self._service.metrics.dropped(DropReason.EVIDENCE_PER_HOUR, camera, count)
        self._chooser.dropped.clear()

    def _ask(self, one: KeepItem) -> None:
        keep = self._output.wait_for_room(self._never, 0.0, key=one.camera, limit=_WAITING_MAX)
        self._output.offer(one, key=one.camera, keep=keep)
        self._asked.labels(str(one.__struct_config__.tag)).inc()
