"""How many are inside each zone now, came and went, and crossed each line: metrics, and what the viewer shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from vigie.contracts.events import EventItem, LineEvent, ZoneEvent
from vigie.contracts.lanes import camera_of
from vigie.events.settings import CameraRules
from vigie.metrics import Metrics

_ENTERED, _LEFT = 0, 1


class LiveCounts:
    """Used from one thread, or under its owner's lock."""

    def __init__(self, metrics: Metrics) -> None:
        self._zones: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._lines: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(lambda: {"forward": 0, "backward": 0})
        self._inside = metrics.gauge("vigie_zone_objects", "Objects inside a zone now.", ("camera", "zone"))
        self._moves = metrics.counter(
            "vigie_zone_moves_total", "Objects that entered or left a zone.", ("camera", "zone", "move")
        )
        self._crossings = metrics.counter(
            "vigie_line_crossings_total", "Objects that crossed a line.", ("camera", "line", "direction")
        )

    def take(self, event: EventItem) -> tuple[int, ...]:
        """What ``Told.counts`` is after ``event``."""
        if isinstance(event, ZoneEvent):
            moves = self._zones[event.camera, event.zone]
            if event.phase != "update":
                move = "entered" if event.phase == "new" else "left"
                moves[_ENTERED if event.phase == "new" else _LEFT] += 1
                self._moves.labels(event.camera, event.zone, move).inc()
            self._inside.labels(event.camera, event.zone).set(event.inside)
            return event.inside, *moves
        if isinstance(event, LineEvent):
            crossed = self._lines[event.camera, event.line]
            crossed[event.direction] += 1
            self._crossings.labels(event.camera, event.line, event.direction).inc()
            return crossed["forward"], crossed["backward"]
        return ()

    def keep_only(self, cameras: Mapping[str, CameraRules]) -> None:
        """Forget zones and lines that are not in the twin any longer: nobody is inside a zone that is gone."""
        rules = {name: (set(own.zones), set(own.lines)) for name, own in cameras.items()}
        none: tuple[set[str], set[str]] = (set(), set())
        for camera, zone in [key for key in self._zones if key[1] not in rules.get(camera_of(key[0]), none)[0]]:
            del self._zones[camera, zone]
            self._inside.remove(camera, zone)
        for key in [key for key in self._lines if key[1] not in rules.get(camera_of(key[0]), none)[1]]:
            del self._lines[key]
