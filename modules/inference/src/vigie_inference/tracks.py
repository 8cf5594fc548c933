"""Gives the objects of each camera an id that they keep from frame to frame."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import DetectionsItem
from vigie.vision.tracking import Tracker, TrackerSettings
from vigie_inference.blurring import ToBlur
from vigie_inference.config import TrackingConfig

# A camera that has been silent for so long starts afresh, and takes no memory meanwhile.
_IDLE_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One frame's result before its objects have ids.

    ``item`` holds the detections that are passed on, those with at least ``score_min``; they are the first of
    ``boxes_xyxy`` (N, 4), ``scores`` and ``class_ids``, which go on with the weak ones. Frame pixels, best score first.
    ``to_blur``: what its camera's blur has to know.
    """

    item: DetectionsItem
    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    score_min: float
    tracking: TrackingConfig
    to_blur: ToBlur | None = None


@dataclass(slots=True, eq=False)
class _Camera:
    tracker: Tracker
    frame_hw: tuple[int, int]
    seen_s: float
    # Random, so that neither a restart nor another camera gives the same id to another object.
    name: str = field(default_factory=lambda: secrets.token_hex(4))


class Tracks:
    """Called with the frames of a camera in their order; one call at a time."""

    def __init__(self) -> None:
        """No camera yet."""
        self._cameras: dict[str, _Camera] = {}
        self._swept_s = 0.0

    def identify(self, seen: Sighting) -> DetectionsItem:
        """The item, its detections with ``track``: absent for an object's first sight."""
        item, settings = seen.item, seen.tracking
        if not settings.on:
            self._cameras.pop(item.lane, None)
            return item
        at_s = item.captured_ns / 1e9
        wanted = TrackerSettings(good_score=seen.score_min, lost_s=settings.lost_seconds)
        camera = self._cameras.get(item.lane)
        if camera is None or camera.frame_hw != item.frame_hw:
            camera = self._cameras[item.lane] = _Camera(Tracker(wanted), item.frame_hw, at_s)
        camera.tracker.settings, camera.seen_s = wanted, at_s
        numbers = camera.tracker.update(seen.boxes_xyxy, seen.scores, seen.class_ids, at_s)
        self._sweep(at_s)
        detections = [
            msgspec.structs.replace(found, track=f"{camera.name}-{number}") if number else found
            for found, number in zip(item.detections, numbers.tolist(), strict=False)
        ]
        return msgspec.structs.replace(item, detections=detections)

    def _sweep(self, now_s: float) -> None:
        if now_s - self._swept_s > _IDLE_S:
            self._swept_s = now_s
            self._cameras = {name: one for name, one in self._cameras.items() if now_s - one.seen_s <= _IDLE_S}
