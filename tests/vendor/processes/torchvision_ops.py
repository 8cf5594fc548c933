"""torchvision beside a torch that its wheel was not built for; the scripts of this folder import it from here first.

The wheels of the index hold operators for a torch with CUDA, gigabytes of it, and refuse to be imported where these did
not load. The Python part needs their names only; suppression is what vendors call of them, and it is written out here.
"""

from __future__ import annotations

import torch

_operators = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _operators.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import torchvision  # noqa: E402  not before its operators have names


def suppressed(boxes_xyxy: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """As the compiled one: greedy from the best score on; what overlaps a kept box by more than the threshold goes."""
    areas = (boxes_xyxy[:, 2] - boxes_xyxy[:, 0]) * (boxes_xyxy[:, 3] - boxes_xyxy[:, 1])
    left = scores.argsort(descending=True, stable=True)
    kept: list[int] = []
    while len(left):
        best, left = int(left[0]), left[1:]
        kept.append(best)
        low = torch.maximum(boxes_xyxy[best, :2], boxes_xyxy[left, :2])
        high = torch.minimum(boxes_xyxy[best, 2:], boxes_xyxy[left, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        left = left[~(shared / (areas[best] + areas[left] - shared) > iou_threshold)]  # no area, no overlap: it stays
    return torch.tensor(kept, dtype=torch.int64)


torchvision.ops.nms = torchvision.ops.boxes.nms = suppressed
