"""What a model sees in a frame, whether that comes as one tensor or as several views of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.tensors import TensorItem
from vigie.errors import ImageShapeError
from vigie.vision.detections import Detections
from vigie.vision.in_frame import to_frame
from vigie.vision.merging import merge_views

# Of models whose answers are boxes: they can be followed, and what was seen twice told from what is there twice.
BOX_TASKS = frozenset({"detection", "pose", "segmentation", "oriented"})

See = Callable[[NDArray[np.uint8]], Detections]


def see_frame(item: TensorItem, tensors: NDArray[Any], see: See, *, iou_max: float) -> Detections:
    """Detections in pixels of the frame, best score first.

    Args: tensors: (H, W, 3), or (N, H, W, 3) for the item's N views. see: one tensor to what is seen in it, in the
        tensor's pixels; called for each. A view that fails fails the frame: a part of an answer is not an answer.
    Raises: ImageShapeError: as many tensors as views were promised and others came. What ``see`` raises.
    """
    if not item.views:
        return to_frame(see(tensors), item.transform, item.frame_hw)
    if tensors.ndim != 4 or len(tensors) != len(item.views):
        raise ImageShapeError("tensors", expected=f"{len(item.views)} views", got=f"{tensors.shape}")
    seen = [
        to_frame(see(tensor_hwc), view.transform, item.frame_hw, view.box_xyxy)
        for view, tensor_hwc in zip(item.views, tensors, strict=True)
    ]
    return merge_views(seen, [view.box_xyxy for view in item.views], merge=item.merge, iou_max=iou_max)
