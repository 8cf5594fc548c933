"""Where in a frame the classes are that its camera has blurred; for who makes pictures of it. No clock, no I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from vigie.contracts.blur import Blur, Box
from vigie.vision.boxes import iou_matrix
from vigie.vision.detections import Detections

# Far below what is worth telling: a blurred patch of wall costs nothing.
SCORE_MIN = 0.15
# A detector misses an object in a frame now and then; what was somewhere a moment ago is blurred there still.
HELD_S = 0.6
_SAME = 0.8
_BOXES_MAX = 200


@dataclass(frozen=True, slots=True, eq=False)
class ToBlur:
    """Of one frame. ``found``: in pixels of the frame, of all classes of ``labels`` and down to ``SCORE_MIN``.

    ``region_xyxy``: the part that the model looked at; None: all of it.
    """

    blur: Blur
    found: Detections
    labels: tuple[str, ...]
    region_xyxy: Box | None


class Blurring:
    """Of all cameras. Called with the frames of a camera in their order; one call at a time."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self._seen: dict[str, deque[tuple[int, list[Box]]]] = {}

    def boxes(
        self, camera: str, captured_ns: int, frame_hw: tuple[int, int], to_blur: ToBlur
    ) -> tuple[Box, ...] | None:
        """Boxes to blur in a frame, in its pixels; None: the model does not know every class to blur."""
        labels, found = to_blur.labels, to_blur.found
        wanted = {labels.index(label) for label in to_blur.blur.labels if label in labels}
        if len(wanted) < len(set(to_blur.blur.labels)):
            self._seen.pop(camera, None)
            return None
        mine = found.boxes_xyxy[np.isin(found.class_ids, list(wanted))]
        now = [(x1, y1, x2, y2) for x1, y1, x2, y2 in mine.astype(np.float64).round(1).tolist()]
        held = self._seen.setdefault(camera, deque())
        while held and not 0 <= captured_ns - held[0][0] <= HELD_S * 1e9:
            held.popleft()
        boxes = list(now)
        for _, before in reversed(held):
            boxes += _others(before, boxes)
        held.append((captured_ns, now))
        if len(boxes) > _BOXES_MAX:
            boxes = [_around(boxes)]
        return (*boxes, *_outside(to_blur.region_xyxy, frame_hw))


def _outside(region_xyxy: Box | None, frame_hw: tuple[int, int]) -> list[Box]:
    """What nobody looked at may hold anything."""
    if region_xyxy is None:
        return []
    (left, top, right, bottom), (height, width) = region_xyxy, frame_hw
    around = [
        (0.0, 0.0, float(width), top),
        (0.0, bottom, float(width), float(height)),
        (0.0, top, left, bottom),
        (right, top, float(width), bottom),
    ]
    return [box for box in around if box[2] > box[0] and box[3] > box[1]]


def _others(before: list[Box], boxes: list[Box]) -> list[Box]:
    """Those of ``before`` that no box of ``boxes`` is nearly the same as."""
    if not before or not boxes:
        return before
    alike = iou_matrix(np.array(before, np.float32), np.array(boxes, np.float32)).max(axis=1)
    return [box for box, most in zip(before, alike.tolist(), strict=True) if most < _SAME]


def _around(boxes: list[Box]) -> Box:
    """One box that holds more boxes than a message should."""
    sides = np.array(boxes)
    (left, top), (right, bottom) = sides[:, :2].min(axis=0).tolist(), sides[:, 2:].max(axis=0).tolist()
    return left, top, right, bottom
