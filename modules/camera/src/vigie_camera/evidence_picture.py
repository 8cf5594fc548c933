"""A frame as a JPEG for evidence, with boxes where they are wanted."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import Detection
from vigie.vision.draw import draw_detections

_QUALITY = 88


def encode(picture_bgr: NDArray[np.uint8], boxes: Sequence[Detection]) -> bytes:
    """Args: picture_bgr: (H, W, 3) uint8, read only, as it may leave the device. Raises: ValueError."""
    drawn = picture_bgr
    if boxes:
        drawn = picture_bgr.copy()
        draw_detections(drawn, boxes)
    done, encoded = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError(f"a picture of shape {picture_bgr.shape} cannot be encoded")
    return encoded.tobytes()
