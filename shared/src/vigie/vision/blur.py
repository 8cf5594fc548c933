"""Makes parts of a picture unrecognisable: coarse blocks of their mean colour. Arrays in, changed in place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

# Blocks along the longer side of a box: a face is one or two of them, a number plate not one character.
_BLOCKS = 8
_WHOLE_BLOCKS = 16
_LEAST_BLOCK = 4
# A box may be a little small, and an outline is a likeness too.
_MARGIN = 0.1
_LEAST_MARGIN_PX = 2.0


def blur_boxes(
    picture_bgr: NDArray[np.uint8], boxes_xyxy: Sequence[tuple[float, float, float, float]], frame_hw: tuple[int, int]
) -> None:
    """Blur boxes, each with a margin of a tenth of its sides.

    Args: picture_bgr: (h, w, 3) uint8, the frame at any size; changed. boxes_xyxy: in pixels of the frame of
        ``frame_hw``.
    """
    height, width = picture_bgr.shape[:2]
    across, down = width / frame_hw[1], height / frame_hw[0]
    for x1, y1, x2, y2 in boxes_xyxy:
        if not all(map(math.isfinite, (x1, y1, x2, y2))):
            blur_all(picture_bgr)
            return
        aside = max(_LEAST_MARGIN_PX, (x2 - x1) * across * _MARGIN)
        above = max(_LEAST_MARGIN_PX, (y2 - y1) * down * _MARGIN)
        left, right = max(0, math.floor(x1 * across - aside)), min(width, math.ceil(x2 * across + aside))
        top, bottom = max(0, math.floor(y1 * down - above)), min(height, math.ceil(y2 * down + above))
        if left < right and top < bottom:
            _mosaic(picture_bgr[top:bottom, left:right], _BLOCKS)


def blur_all(picture_bgr: NDArray[np.uint8]) -> None:
    """Blur the whole picture, (h, w, 3) uint8, in place."""
    _mosaic(picture_bgr, _WHOLE_BLOCKS)


def _mosaic(part: NDArray[np.uint8], blocks: int) -> None:
    height, width = part.shape[:2]
    block = max(_LEAST_BLOCK, math.ceil(max(height, width) / blocks))
    coarse_wh = (max(1, width // block), max(1, height // block))
    coarse = cv2.resize(part, coarse_wh, interpolation=cv2.INTER_AREA)
    part[...] = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
