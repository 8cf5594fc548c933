"""Two models' detections on one frame, beside each other, differences coloured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.vision.detections import Detections
from vigie_devkit.accuracy.agreement import FrameMatch

# BGR.
AGREED, FLIPPED, ALONE = (80, 175, 60), (0, 160, 240), (50, 50, 230)
_GAP = 8


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
    for index in range(len(detections)):
        colour = ALONE if index in set(alone) else FLIPPED if index in set(flipped) else AGREED
        x1, y1, x2, y2 = (round(float(side)) for side in detections.boxes_xyxy[index])
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, 2)
        text = f"{labels[int(detections.class_ids[index])]} {float(detections.scores[index]):.2f}"
        cv2.putText(picture, text, (x1 + 2, max(12, y1 - 4)), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    head = np.full((24, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(head, title, (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([head, picture])


def jpeg(picture_bgr: NDArray[np.uint8]) -> bytes:
    """The picture as a JPEG file. Raises: ValueError: OpenCV cannot write it."""
    written, encoded = cv2.imencode(".jpg", picture_bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not written:
        raise ValueError(f"a picture of {picture_bgr.shape} cannot be written as JPEG")
    return bytes(encoded.tobytes())
