"""The map from frame pixels to tensor pixels: planned here, inverted here, without OpenCV.

Inference inverts what preprocess applied, and has no OpenCV, so the geometry lives apart from the resize.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.inputspec import Align
from vigie.contracts.tensors import FrameTransform


class Transform(FrameTransform, frozen=True):
    """``tensor = frame * scale + pad`` per axis, in pixels measured from the outer corner of the first pixel.

    The scales are those that the rounded size really has (resized / original), so the inverse is exact to the
    pixel also where ``round(width * ratio)`` moved an edge. It travels as the ``FrameTransform`` it is.
    """

    def to_frame(self, boxes_xyxy: NDArray[np.float32], frame_hw: tuple[int, int]) -> NDArray[np.float32]:
        """See ``boxes_to_frame``."""
        return boxes_to_frame(boxes_xyxy, self, frame_hw)

    def to_tensor(self, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``boxes_to_tensor``."""
        return boxes_to_tensor(boxes_xyxy, self)


def boxes_to_frame(
    boxes_xyxy: NDArray[np.float32], transform: FrameTransform, frame_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """Boxes in tensor pixels -> boxes in frame pixels, clipped to the frame.

    Args: boxes_xyxy: (N, 4) float32; not changed. frame_hw: the original frame's (height, width).
    Returns: a new (N, 4) float32 array.
    """
    height, width = frame_hw
    boxes = boxes_xyxy - np.array([transform.pad_x, transform.pad_y] * 2, np.float32)
    boxes /= np.array([transform.scale_x, transform.scale_y] * 2, np.float32)
    np.clip(boxes, 0.0, np.array([width, height] * 2, np.float32), out=boxes)
    return boxes


def points_to_frame(
    points: NDArray[np.float32], transform: FrameTransform, frame_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """Key points (N, K, 3) of x, y in tensor pixels and a score -> the same in frame pixels, clipped; a new array."""
    height, width = frame_hw
    moved = points.copy()
    moved[..., 0] = np.clip((points[..., 0] - transform.pad_x) / transform.scale_x, 0.0, width)
    moved[..., 1] = np.clip((points[..., 1] - transform.pad_y) / transform.scale_y, 0.0, height)
    return moved


def boxes_to_tensor(boxes_xyxy: NDArray[np.float32], transform: FrameTransform) -> NDArray[np.float32]:
    """Boxes in frame pixels -> boxes in tensor pixels, not clipped: the inverse inside the frame."""
    boxes = boxes_xyxy * np.array([transform.scale_x, transform.scale_y] * 2, np.float32)
    boxes += np.array([transform.pad_x, transform.pad_y] * 2, np.float32)
    return boxes


def inverse(transform: FrameTransform) -> FrameTransform:
    """The way back: its ``to_frame`` is this one's way into the tensor."""
    x, y = transform.scale_x, transform.scale_y
    return FrameTransform(1 / x, 1 / y, -transform.pad_x / x, -transform.pad_y / y)


class Placement(msgspec.Struct, frozen=True):
    """Where the resized frame lies in the tensor, in whole pixels."""

    top: int
    left: int
    height: int
    width: int


def place(frame_hw: tuple[int, int], tensor_hw: tuple[int, int], align: Align) -> Placement:
    """Where a frame of ``frame_hw`` goes in a tensor of ``tensor_hw``; never outside it, never empty.

    Args: align: ``centre`` (Ultralytics) and ``top_left`` (YOLOX) keep the aspect ratio;
        ``stretch`` does not.
    Raises: ValueError: a side is not positive.
    """
    frame_h, frame_w = frame_hw
    tensor_h, tensor_w = tensor_hw
    if min(frame_h, frame_w, tensor_h, tensor_w) < 1:
        raise ValueError(f"cannot letterbox a {frame_h}x{frame_w} frame into {tensor_h}x{tensor_w}: a side is empty")
    if align == "stretch":
        return Placement(0, 0, tensor_h, tensor_w)
    ratio = min(tensor_h / frame_h, tensor_w / frame_w)
    if align == "top_left":
        # YOLOX truncates, and so must we: one row more or less moves scores across a threshold in 8 % of frames.
        return Placement(0, 0, max(1, int(frame_h * ratio)), max(1, int(frame_w * ratio)))
    height = min(tensor_h, max(1, round(frame_h * ratio)))
    width = min(tensor_w, max(1, round(frame_w * ratio)))
    return Placement((tensor_h - height) // 2, (tensor_w - width) // 2, height, width)


def plan_transform(frame_hw: tuple[int, int], tensor_hw: tuple[int, int], align: Align) -> Transform:
    """The transform that ``letterbox_into`` applies for these sizes."""
    at = place(frame_hw, tensor_hw, align)
    return Transform(at.width / frame_hw[1], at.height / frame_hw[0], float(at.left), float(at.top))
