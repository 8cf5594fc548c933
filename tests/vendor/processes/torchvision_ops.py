"""torchvision beside a torch that its wheel was not built for; the scripts of this folder import it from here first.

The wheels of the index hold operators for a torch with CUDA, gigabytes of it, and refuse to be imported where these did
not load. Those that detectors call are written out here, under the names that an export looks for.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

_operators = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _operators.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_operators.define(
    "roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor"
)

import torchvision.ops  # noqa: E402  not before its operators have names


def suppressed(boxes_xyxy: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """As the compiled one: greedy from the best score on; what overlaps a kept box by more than the threshold goes."""
    boxes, left = boxes_xyxy.numpy(), scores.argsort(descending=True, stable=True).numpy()
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[left, :2])
        high = np.minimum(boxes[best, 2:], boxes[left, 2:])
        shared = np.maximum(high - low, 0).prod(1)
        with np.errstate(invalid="ignore"):  # what has no area overlaps nothing: 0 / 0 is not greater, so it stays
            left = left[~(shared / (areas[best] + areas[left] - shared) > iou_threshold)]
    return torch.tensor(kept, dtype=torch.int64)


def there() -> bool:
    """Whether operators are loaded; compiled by the exporter, as the vendor's own is."""
    return True


_regions = sys.modules["torchvision.ops.roi_align"]  # the package's attribute of this name is the function
_operators.impl("nms", suppressed, "CPU")
_operators.impl("roi_align", _regions._roi_align.__wrapped__, "CPU")  # the vendor's own in Python, not compiled
for _module in (torchvision.ops.boxes, _regions):
    _module._has_ops = _module._assert_has_ops = there
