"""What was detected, drawn into a frame: for pictures and videos that leave the product as files.

The viewer's page draws in the browser instead (``modules/viewer``); both give a label the same colour.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import Detection, OrientedBox
from vigie.vision.masks import from_runs
from vigie.vision.oriented import corners_of

# Degrees on the colour wheel, far apart; the page's draw.js has the same list and the same rule.
HUES = (168, 28, 212, 328, 52, 264, 4, 120, 190, 300, 80, 236)
# Pairs of COCO's 17 key points (nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles) that a bone joins.
COCO_BONES = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
    (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip
# A key point that the model is less sure of than this is not shown.
KEYPOINT_SEEN = 0.5
_MASK_ALPHA = 0.4
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK_BGR = (20, 18, 11)

Bgr = tuple[int, int, int]


@dataclass(slots=True)
class Palette:
    """A colour for each label, the same for as long as the palette lives. One for all frames of a video."""

    _hues: dict[str, int] = field(default_factory=dict)

    def hue(self, label: str) -> int:
        """Degrees. The label's own, or the next that no label has yet; beyond twelve labels colours repeat."""
        if label not in self._hues:
            own = 0
            for letter in label:
                own = (own * 31 + ord(letter)) & 0xFFFF_FFFF
            at = own % len(HUES)
            taken = set(self._hues.values())
            for _ in range(len(HUES)):
                if HUES[at] not in taken:
                    break
                at = (at + 1) % len(HUES)
            self._hues[label] = HUES[at]
        return self._hues[label]

    def bgr(self, label: str) -> Bgr:
        """The page's ``hsl(hue 88% 60%)``."""
        red, green, blue = colorsys.hls_to_rgb(self.hue(label) / 360, 0.6, 0.88)
        return round(blue * 255), round(green * 255), round(red * 255)


def draw_detections(
    frame_bgr: NDArray[np.uint8],
    detections: Sequence[Detection],
    frame_hw: tuple[int, int] | None = None,
    *,
    palette: Palette | None = None,
    labels: bool = True,
) -> None:
    """Draw boxes, masks and key points into ``frame_bgr``; the surest detection ends on top.

    Lines and letters grow with the picture, so that they are readable from a thumbnail to 4K.

    Args: frame_bgr: (H, W, 3) uint8, changed in place. frame_hw: the size of the frame whose pixels the detections
        are in; default: that of ``frame_bgr``. labels: also write label, track and score.
    """
    colours = palette or Palette()
    height, width = frame_bgr.shape[:2]
    of_h, of_w = frame_hw or (height, width)
    scale_xy = np.array([width / of_w, height / of_h])
    line = max(1, round(max(height, width) / 480))
    for one in sorted(detections, key=lambda each: each.score):
        colour = colours.bgr(one.label)
        corners = np.rint(np.asarray(one.box_xyxy).reshape(2, 2) * scale_xy).astype(int)
        (left, top), (right, bottom) = (
            (int(corners[0][0]), int(corners[0][1])),
            (int(corners[1][0]), int(corners[1][1])),
        )
        if one.mask is not None:
            _mask(frame_bgr, (left, top, right, bottom), from_runs(one.mask.runs, one.mask.size_hw), colour)
        # A dark edge keeps a bright line visible on a bright floor.
        outline = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.int32)
        if one.oriented is not None:
            outline = _turned(one.oriented, scale_xy)
        cv2.polylines(frame_bgr, [outline], isClosed=True, color=_INK_BGR, thickness=line + 2)
        cv2.polylines(frame_bgr, [outline], isClosed=True, color=colour, thickness=line)
        if one.keypoints:
            _pose(frame_bgr, one.keypoints, scale_xy, colour, line)
        if labels:
            _label(frame_bgr, (left, top), caption(one), colour, line)


def caption(detection: Detection) -> str:
    """As on the page: label, the short number of its track, score in percent."""
    track = "" if detection.track is None else f" #{detection.track.rpartition('-')[2]}"
    return f"{detection.label}{track} {round(detection.score * 100)}"


def _turned(box: OrientedBox, scale_xy: NDArray[np.float64]) -> NDArray[np.int32]:
    """(4, 2): corners in the picture's pixels."""
    numbers = [*box.centre_xy, *box.size_wh, np.radians(box.angle_degrees)]
    corners = corners_of(np.array([numbers], np.float32))[0]
    return np.asarray(np.rint(corners * scale_xy), np.int32)


def _mask(frame_bgr: NDArray[np.uint8], box: tuple[int, int, int, int], cells: NDArray[np.bool_], colour: Bgr) -> None:
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    inner = frame_bgr[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if wide < 1 or high < 1 or inner.size == 0:
        return
    grown = cv2.resize(cells.astype(np.float32), (wide, high), interpolation=cv2.INTER_LINEAR) > 0.5
    seen = grown[max(0, -top) :, max(0, -left) :][: inner.shape[0], : inner.shape[1]]
    inner[seen] = (inner[seen] * (1 - _MASK_ALPHA) + np.array(colour) * _MASK_ALPHA).astype(np.uint8)


def _pose(
    frame_bgr: NDArray[np.uint8],
    keypoints: Sequence[tuple[float, float, float]],
    scale_xy: NDArray[np.float64],
    colour: Bgr,
    line: int,
) -> None:
    places = [tuple(int(side) for side in np.rint(np.array(point[:2]) * scale_xy)) for point in keypoints]
    seen = [point[2] >= KEYPOINT_SEEN for point in keypoints]
    if len(keypoints) == 17:
        for one, other in COCO_BONES:
            if seen[one] and seen[other]:
                cv2.line(frame_bgr, places[one], places[other], colour, line + 1, cv2.LINE_AA)
    for place, shown in zip(places, seen, strict=True):
        if shown:
            cv2.circle(frame_bgr, place, 2 * line + 1, _INK_BGR, cv2.FILLED, cv2.LINE_AA)
            cv2.circle(frame_bgr, place, 2 * line, colour, cv2.FILLED, cv2.LINE_AA)


def _label(frame_bgr: NDArray[np.uint8], corner: tuple[int, int], text: str, colour: Bgr, line: int) -> None:
    """Over the box's upper left corner; inside the picture where there is no room above."""
    size = 0.38 + 0.09 * line
    shown = text.encode("ascii", "replace").decode()  # the font that OpenCV carries has no other letters
    (wide, high), below = cv2.getTextSize(shown, _FONT, size, 1)
    pad = 2 + line
    tall = high + below + 2 * pad - 2
    left = max(0, min(corner[0], frame_bgr.shape[1] - wide - 2 * pad))
    top = corner[1] - tall if corner[1] - tall >= 0 else max(0, corner[1])
    cv2.rectangle(frame_bgr, (left, top), (left + wide + 2 * pad, top + tall), colour, cv2.FILLED)
    cv2.putText(frame_bgr, shown, (left + pad, top + pad + high - 1), _FONT, size, _INK_BGR, 1 + line // 4, cv2.LINE_AA)
