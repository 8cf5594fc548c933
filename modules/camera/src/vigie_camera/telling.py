"""Sends what happens to cameras as events: to sync, which records them for the cloud, and to whoever else listens."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vigie.contracts import envelope, names
from vigie.contracts.events import CameraEvent
from vigie.log import get_logger
from vigie.messaging.output import Output
from vigie.service import Service
from vigie_camera.outages import CameraCondition, Outages

log = get_logger("camera")

# Events of one camera that wait for a hub that is away; beyond, the oldest goes, counted.
WAITING_MAX = 64


class Telling:
    """Used by the watching thread."""

    def __init__(self, service: Service[Any]) -> None:
        """Declares the output; before ``service.start``."""
        self._output: Output[CameraEvent] = service.output(
            names.EVENTS, (names.SYNC, names.EVENTS), schema=envelope.EVENTS, depth=WAITING_MAX
        )
        self._boot = service.env.boot
        self._numbers = itertools.count()
        self._outages: dict[str, Outages] = {}

    def look(self, conditions: Mapping[str, CameraCondition], stop: threading.Event) -> None:
        """Tell what is new about the cameras in the twin, as they are now."""
        now_s, at = time.monotonic(), _now()
        for name, condition in conditions.items():
            outages = self._outages.get(name)
            if outages is None:
                outages = self._outages[name] = Outages(name, self._boot, self._numbers, now_s, at)
            self._tell(outages.observe(condition, now_s, at), stop)
        for name in [name for name in self._outages if name not in conditions]:
            self._tell(self._outages.pop(name).removed(now_s, at), stop)

    def _tell(self, events: list[CameraEvent], stop: threading.Event) -> None:
        for event in events:
            log.info("camera_event", camera=event.camera, type=event.__struct_config__.tag, phase=event.phase)
            # Sent again until sync has it, as long as not too many wait.
            keep = self._output.wait_for_room(stop, 0.0, key=event.camera, limit=WAITING_MAX)
            self._output.offer(event, key=event.camera, keep=keep)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
