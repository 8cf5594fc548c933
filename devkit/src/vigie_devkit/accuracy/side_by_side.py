"""Two models' detections on one frame, beside each other, differences coloured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.vision.detections import Detections
from vigie_devkit.accuracy.agreement import FrameMatch
from vigie_devkit.accuracy.captions import place_captions

# BGR.
AGREED, FLIPPED, ALONE = (80, 175, 60), (0, 160, 240), (50, 50, 230)
_GAP = 8
_FONT = (cv2.FONT_HERSHEY_SIMPLEX, 0.4)


def side_by_side(
    tensor_hwc: NDArray[np.uint8],
    sides: Sequence[tuple[str, Detections]],
    match: FrameMatch,
    labels: Sequence[str],
) -> NDArray[np.uint8]:
    """(H + title, 2 W + gap, 3) uint8 BGR: green where both agree, orange another class, red what only one sees.

    Args: tensor_hwc: (H, W, 3) uint8 BGR, as the model was fed; not changed. sides: title and detections, two.
    """
    left, right = (
        _drawn(tensor_hwc, title, detections, alone=alone, flipped=flipped, labels=labels)
        for (title, detections), alone, flipped in zip(
            sides,
            (set(match.missing), set(match.new)),
            ({one for one, _ in match.flips}, {other for _, other in match.flips}),
            strict=True,
        )
    )
    gap = np.full((left.shape[0], _GAP, 3), 255, np.uint8)
    return np.hstack([left, gap, right])


def _drawn(
    tensor_hwc: NDArray[np.uint8],
    title: str,
    detections: Detections,
    *,
    alone: Iterable[int],
    flipped: Iterable[int],
    labels: Sequence[str],
) -> NDArray[np.uint8]:
    picture = tensor_hwc.copy()
    alone, flipped = set(alone), set(flipped)
    # What differs is captioned first: in a crowd some of the others go without.
    order = sorted(range(len(detections)), key=lambda index: index not in alone and index not in flipped)
    boxes = [_whole(detections.boxes_xyxy[index]) for index in order]
    texts = [f"{labels[int(detections.class_ids[i])]} {float(detections.scores[i]):.2f}" for i in order]
    colours = [ALONE if index in alone else FLIPPED if index in flipped else AGREED for index in order]
    for (x1, y1, x2, y2), colour in zip(boxes, colours, strict=True):
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, 2)
    places = place_captions(boxes, [_size(text) for text in texts], (picture.shape[1], picture.shape[0]))
    for text, colour, place in zip(texts, colours, places, strict=True):
        if place is not None:
            cv2.rectangle(picture, place[:2], (place[2] - 1, place[3] - 1), colour, cv2.FILLED)
            cv2.putText(picture, text, (place[0] + 2, place[3] - 4), *_FONT, (255, 255, 255), 1, cv2.LINE_AA)
    head = np.full((24, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(head, title, (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([head, picture])


def _whole(box_xyxy: NDArray[np.float32]) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = (round(float(side)) for side in box_xyxy)
    return x1, y1, x2, y2


def _size(text: str) -> tuple[int, int]:
    (width, height), below = cv2.getTextSize(text, *_FONT, 1)
    return width + 4, height + below + 2


def jpeg(picture_bgr: NDArray[np.uint8]) -> bytes:
    """The picture as a JPEG file. Raises: ValueError: OpenCV cannot write it."""
    written, encoded = cv2.imencode(".jpg", picture_bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not written:
        raise ValueError(f"a picture of {picture_bgr.shape} cannot be written as JPEG")
    return bytes(encoded.tobytes())
