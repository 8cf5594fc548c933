"""The tensors of one frame: each view of it resized into its part of the slot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.blur import Box
from vigie.contracts.inputspec import InputSpec, NamedSpec, SampledSpec
from vigie.contracts.tensors import FrameTransform, View
from vigie.vision.letterbox import letterbox_into
from vigie.vision.planes import Planes, crop_planes
from vigie.vision.tiles import Box as PixelBox


def fit_views(
    frame: Planes,
    boxes: tuple[PixelBox, ...],
    frame_hw: tuple[int, int],
    spec: InputSpec | NamedSpec | SampledSpec,
    out_nhwc: NDArray[np.uint8],
) -> tuple[View, ...]:
    """Fit every box of ``frame`` into its part of ``out_nhwc``, (N, H, W, 3) uint8.

    Args: boxes: in pixels of ``frame``, see ``crop_planes``. frame_hw: the captured frame's size; an inline frame may
        have been scaled down to fit a message, and boxes are wanted in the captured frame's pixels.
    Returns: the views, in those pixels.
    """
    down_y, down_x = frame.size_hw[0] / frame_hw[0], frame.size_hw[1] / frame_hw[1]
    views = []
    for box, tensor_hwc in zip(boxes, out_nhwc, strict=True):
        fitted = letterbox_into(crop_planes(frame, box), tensor_hwc, align=spec.align, pad_value=spec.pad_value)
        left, top, right, bottom = box
        views.append(
            View(
                (left / down_x, top / down_y, right / down_x, bottom / down_y),
                FrameTransform(
                    fitted.scale_x * down_x,
                    fitted.scale_y * down_y,
                    fitted.pad_x - left * fitted.scale_x,
                    fitted.pad_y - top * fitted.scale_y,
                ),
            )
        )
    return tuple(views)


def region_of(views: tuple[View, ...], frame_hw: tuple[int, int]) -> Box | None:
    """What the views show together; None: the whole frame."""
    sides = list(zip(*(view.box_xyxy for view in views), strict=True))
    region = (min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3]))
    return None if region == (0, 0, frame_hw[1], frame_hw[0]) else region
