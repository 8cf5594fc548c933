"""Which cells answer for which object, and what their answers cost.

Assignment: task-aligned (Feng et al., "TOOD", 2021): for each object the cells inside it whose score and overlap are
jointly best. Box loss: generalised IoU (Rezatofighi et al., 2019). Objectness learns the alignment of the answer, so
that the score says how well the box fits; classes learn only where there is an object.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from vigie_devkit.train.network import decode_boxes

TOP_CELLS = 9
SCORE_POWER, OVERLAP_POWER = 0.5, 4.0
# An object smaller than a cell still gets the cells around its centre.
LEAST_HALF_SIDE = 0.75
WEIGHTS = {"box": 5.0, "objectness": 1.0, "class": 1.0}


class Targets(NamedTuple):
    """Per image, padded: boxes (B, N, 4) x1, y1, x2, y2 in pixels, labels (B, N), kind (B, N).

    ``kind``: 1 an object, 0 padding, -1 an object too hidden to ask for: its cells learn nothing.
    """

    boxes: Tensor
    labels: Tensor
    kind: Tensor


def detection_loss(raw: Tensor, targets: Targets, corners: Tensor, strides: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Loss of a batch (raw (B, A, 5 + classes)) and its parts, for the log."""
    boxes = decode_boxes(raw[..., :4], corners, strides)
    with torch.no_grad():
        assigned, quality = assign(raw, boxes, targets, corners, strides)
        hidden = _inside(corners + strides / 2, targets.boxes, targets.kind < 0)
    positive = assigned >= 0
    norm = quality.sum().clamp(min=1.0)
    objectness = binary_cross_entropy_with_logits(raw[..., 4], quality, reduction="none")
    objectness = (objectness * (positive | ~hidden)).sum() / norm
    if not positive.any():
        return objectness * WEIGHTS["objectness"], {"objectness": float(objectness.detach())}
    image = torch.arange(len(raw)).unsqueeze(1).expand_as(assigned)[positive]
    chosen = assigned[positive]
    weight = quality[positive]
    overlap = generalised_iou(boxes[positive], targets.boxes[image, chosen])
    box = ((1.0 - overlap) * weight).sum() / norm
    wanted = torch.nn.functional.one_hot(targets.labels[image, chosen], raw.shape[-1] - 5).to(raw.dtype)
    classes = binary_cross_entropy_with_logits(raw[..., 5:][positive], wanted, reduction="none").sum(1)
    classes = (classes * weight).sum() / norm
    parts = {"box": box, "objectness": objectness, "class": classes}
    total: Tensor = torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()
    return total, {name: float(part.detach()) for name, part in parts.items()}


def assign(raw: Tensor, boxes: Tensor, targets: Targets, corners: Tensor, strides: Tensor) -> tuple[Tensor, Tensor]:
    """For each cell the object it answers for, (B, A) or -1, and the quality asked of it, (B, A) in 0..1."""
    real = targets.kind > 0
    centres = corners + strides / 2
    half = ((targets.boxes[..., 2:] - targets.boxes[..., :2]) / 2).unsqueeze(2)
    middle = ((targets.boxes[..., 2:] + targets.boxes[..., :2]) / 2).unsqueeze(2)
    reach = torch.maximum(half, LEAST_HALF_SIDE * strides)
    candidate = ((centres - middle).abs() < reach).all(-1) & real.unsqueeze(2)
    score = raw[..., 5:].sigmoid() * raw[..., 4:5].sigmoid()
    labels = targets.labels.clamp(min=0).unsqueeze(2).expand(-1, -1, raw.shape[1])
    own_score = score.transpose(1, 2).gather(1, labels)
    overlap = iou(targets.boxes.unsqueeze(2), boxes.unsqueeze(1)).clamp(min=0.0)
    # A first guess overlaps with nothing: the small term lets the nearest cells begin.
    nearness = 1e-6 / (1.0 + ((centres - middle) / strides).square().sum(-1))
    alignment = (own_score.pow(SCORE_POWER) * overlap.pow(OVERLAP_POWER) + nearness) * candidate
    count = min(TOP_CELLS, alignment.shape[-1])
    best = alignment.topk(count, dim=-1)
    taken = torch.zeros_like(alignment).scatter_(2, best.indices, (best.values > 0).to(alignment.dtype)) > 0
    # A cell wanted by two objects answers for the one it overlaps more.
    contested = torch.where(taken, overlap + 1e-9, overlap.new_zeros(()))
    winner = contested.argmax(dim=1)
    positive = taken.any(dim=1)
    kept = taken & (torch.arange(taken.shape[1]).view(1, -1, 1) == winner.unsqueeze(1))
    strength = alignment * kept
    top = strength.amax(dim=2, keepdim=True).clamp(min=1e-12)
    best_overlap = (overlap * kept).amax(dim=2, keepdim=True)
    quality = (strength / top * best_overlap.clamp(min=0.05)).amax(dim=1)
    return torch.where(positive, winner, -1), quality


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes that broadcast."""
    shared, union = _areas(first, second)
    return shared / union.clamp(min=1e-9)


def generalised_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU minus the share of the hull that neither covers: it has a slope where boxes do not touch."""
    shared, union = _areas(first, second)
    hull = (torch.maximum(first[..., 2:], second[..., 2:]) - torch.minimum(first[..., :2], second[..., :2])).prod(-1)
    return shared / union.clamp(min=1e-9) - (hull - union) / hull.clamp(min=1e-9)


def _areas(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    corner_min = torch.maximum(first[..., :2], second[..., :2])
    corner_max = torch.minimum(first[..., 2:], second[..., 2:])
    shared = (corner_max - corner_min).clamp(min=0).prod(-1)
    own = (first[..., 2:] - first[..., :2]).clamp(min=0).prod(-1)
    other = (second[..., 2:] - second[..., :2]).clamp(min=0).prod(-1)
    return shared, own + other - shared


def _inside(centres: Tensor, boxes: Tensor, wanted: Tensor) -> Tensor:
    """(B, A): the cell's centre lies in one of the wanted boxes."""
    lower = (centres >= boxes[..., None, :2]).all(-1)
    upper = (centres <= boxes[..., None, 2:]).all(-1)
    return (lower & upper & wanted.unsqueeze(2)).any(dim=1)
