"""The rules of all cameras. Pure: what is a clock comes as an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.events import EventItem
from vigie.contracts.lanes import camera_of
from vigie.events.camera import CameraEvents
from vigie.events.settings import CameraRules, EventSettings

# Without a frame for so long, what was in view of a camera is taken for gone.
SILENT_S = 10.0


@dataclass(slots=True)
class _Watched:
    events: CameraEvents
    arrived_s: float


class Rules:
    """Used from one thread."""

    def __init__(self) -> None:
        """No camera yet; one begins with its first frame, with rules or without."""
        self._settings = EventSettings()
        self._rules: Mapping[str, CameraRules] = {}
        self._watched: dict[str, _Watched] = {}

    def configure(self, settings: EventSettings, cameras: Mapping[str, CameraRules]) -> list[EventItem]:
        """From the next frame on. Returns: ends of stays in zones that are gone or drawn anew."""
        if (settings, cameras) == (self._settings, self._rules):
            return []
        self._settings, self._rules = settings, cameras
        return [
            event
            for name, watched in self._watched.items()
            for event in watched.events.configure(settings, cameras.get(camera_of(name), CameraRules()))
        ]

    def observe(self, item: DetectionsItem, now_s: float) -> list[EventItem] | None:
        """One frame, in the order of its camera's frames; None: it was handed over before.

        Args: now_s: when it arrived, of any clock that ``idle`` is asked with.
        Raises: ValueError: its time of capture is not a time.
        """
        watched = self._watched.get(item.camera)
        if watched is None:
            # A model beside another one is watched by itself, by the same rules.
            events = CameraEvents(self._settings, self._rules.get(camera_of(item.camera), CameraRules()))
            watched = self._watched[item.camera] = _Watched(events, now_s)
        watched.arrived_s = now_s
        return watched.events.observe(item)

    def idle(self, now_s: float) -> list[EventItem]:
        """What the silence of cameras brings about."""
        ended: list[EventItem] = []
        for watched in self._watched.values():
            if now_s - watched.arrived_s >= SILENT_S and not watched.events.empty:
                ended += watched.events.close()
        return ended

    def close(self) -> list[EventItem]:
        """The end of everything that goes on."""
        return [event for watched in self._watched.values() for event in watched.events.close()]
