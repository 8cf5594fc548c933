"""A frame into a tensor's buffer: resized straight into place, colour made there, then the pad."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.inputspec import Align
from vigie.errors import ImageShapeError
from vigie.vision.convert import to_bgr
from vigie.vision.planes import Planes, bgr_planes
from vigie.vision.transform import Transform, place

__all__ = ["letterbox_into"]


def letterbox_into(
    frame: Planes | NDArray[np.uint8], out_hwc: NDArray[np.uint8], *, align: Align, pad_value: int = 114
) -> Transform:
    """Scale ``frame`` into ``out_hwc`` as BGR, fill the rest with ``pad_value``.

    Every pixel of ``out_hwc`` is written: a reused slot shows nothing of its last frame.

    Args: frame: planes, or (h, w, 3) uint8 BGR; read only, never kept; may be views with strides.
        out_hwc: (H, W, 3) uint8, written in place. align: see ``vigie.vision.transform.place``.
    Returns: the transform; ``to_frame`` is its inverse, in pixels.
    Raises: ImageShapeError: a shape or dtype is not as above.
    """
    if not isinstance(frame, Planes):
        _check("frame", frame)
        frame = bgr_planes(frame)
    _check("tensor", out_hwc)
    frame_hw = frame.size_hw
    at = place(frame_hw, (out_hwc.shape[0], out_hwc.shape[1]), align)
    bottom, right = at.top + at.height, at.left + at.width
    to_bgr(frame, (at.height, at.width), out_bgr=out_hwc[at.top : bottom, at.left : right])
    out_hwc[: at.top] = pad_value
    out_hwc[bottom:] = pad_value
    out_hwc[at.top : bottom, : at.left] = pad_value
    out_hwc[at.top : bottom, right:] = pad_value
    return Transform(at.width / frame_hw[1], at.height / frame_hw[0], float(at.left), float(at.top))


def _check(what: str, image_hwc: NDArray[np.uint8]) -> None:
    if image_hwc.ndim != 3 or image_hwc.shape[2] != 3 or image_hwc.dtype != np.uint8 or image_hwc.size == 0:
        got = f"{image_hwc.shape} {image_hwc.dtype}"
        raise ImageShapeError(what, expected="(height, width, 3) uint8", got=got)
