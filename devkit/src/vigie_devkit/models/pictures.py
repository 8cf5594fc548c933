"""Pictures that look like something: shapes, shading, texture, noise. For parity, where blank or noise hides faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vigie.errors import ModelFileError
from vigie_devkit.models.recognition import Feed


def scene(size_hw: tuple[int, int], *, seed: int = 7) -> NDArray[np.uint8]:
    """A (H, W, 3) uint8 BGR picture, the same for the same seed on every machine: integers decide all of it."""
    height, width = size_hw
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    picture = np.stack([60 + (x * (3 + c) + y * (5 - c)) * 40 // (4 * (height + width)) for c in range(3)], axis=2)
    for _ in range(24):
        cx, cy = int(rng.integers(width)), int(rng.integers(height))
        rx, ry = int(rng.integers(4, max(5, width // 6))), int(rng.integers(4, max(5, height // 6)))
        colour = rng.integers(20, 236, 3)
        inside = (
            (abs(x - cx) <= rx) & (abs(y - cy) <= ry)
            if rng.integers(2)
            else ((x - cx) ** 2 * ry * ry + (y - cy) ** 2 * rx * rx <= rx * rx * ry * ry)
        )
        shade = (x[inside] - cx) * 30 // rx + (y[inside] - cy) * 20 // ry
        picture[inside] = colour[None, :] + shade[:, None]
    picture += rng.integers(-6, 7, picture.shape)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def parity_pictures(size_hw: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Two scenes, all black, all white: the last two catch NaN and saturation."""
    flat = [np.full((*size_hw, 3), value, np.uint8) for value in (0, 255)]
    return [scene(size_hw), scene(size_hw, seed=8), *flat]


def read_picture(file: Path, size_hw: tuple[int, int], feed: Feed) -> NDArray[np.uint8]:
    """A user's picture fitted as preprocess would: (H, W, 3) uint8 BGR. Raises: ModelFileError: it is no picture."""
    import cv2

    from vigie.vision.letterbox import letterbox_into

    frame_bgr = cv2.imread(str(file))
    if frame_bgr is None:
        raise ModelFileError(str(file), "cannot be read as a picture by OpenCV; pass a JPEG or PNG")
    tensor_hwc = np.empty((*size_hw, 3), np.uint8)
    letterbox_into(np.asarray(frame_bgr, np.uint8), tensor_hwc, align=feed.align, pad_value=feed.pad_value)
    return tensor_hwc
