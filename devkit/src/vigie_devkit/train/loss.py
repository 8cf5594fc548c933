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
# Below this side (pixels of the input) an overlap says less of how well a box fits: one pixel off on every side leaves
# 0.92 of a box of 48 pixels, and 0.64 of one of 10, which is as good as it gets there. What is asked of the score is
# raised accordingly, so that a small object that is surely there is not taught to be doubted.
SURE_SIDE_PX, LEAST_POWER = 24.0, 0.4
WEIGHTS = {"box": 5.0, "objectness": 1.0, "class": 2.0}


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
    """For each cell the object it answers for, (B, A) or -1, and the quality asked of it, (B, A) in 0..1.

    Image by image: a batch padded to its fullest picture would multiply the work by three.
    """
    chosen = torch.full(raw.shape[:2], -1, dtype=torch.long)
    quality = torch.zeros(raw.shape[:2])
    centres = corners + strides / 2
    for image in range(len(raw)):
        real = torch.nonzero(targets.kind[image] > 0).squeeze(1)
        if len(real):
            truth, labels = targets.boxes[image, real], targets.labels[image, real]
            winner, wanted = _assign_image(raw[image], boxes[image], truth, labels, centres=centres, strides=strides)
            chosen[image] = torch.where(winner >= 0, real[winner.clamp(min=0)], winner)
            quality[image] = wanted
    return chosen, quality


def _assign_image(
    raw: Tensor, boxes: Tensor, truth: Tensor, labels: Tensor, *, centres: Tensor, strides: Tensor
) -> tuple[Tensor, Tensor]:
    """One image: raw (A, 5 + classes), boxes (A, 4), truth (N, 4), labels (N,) -> winner (A,), quality (A,)."""
    half = (truth[:, 2:] - truth[:, :2]).unsqueeze(1) / 2
    middle = (truth[:, 2:] + truth[:, :2]).unsqueeze(1) / 2
    away = centres - middle
    candidate = (away.abs() < torch.maximum(half, LEAST_HALF_SIDE * strides)).all(-1)
    own_score = raw[:, 5:].sigmoid().t()[labels] * raw[:, 4].sigmoid()
    overlap = iou(truth.unsqueeze(1), boxes).clamp(min=0.0)
    # A first guess overlaps with nothing: the small term lets the nearest cells begin.
    nearness = 1e-6 / (1.0 + (away / strides).square().sum(-1))
    alignment = (own_score.pow(SCORE_POWER) * overlap.pow(OVERLAP_POWER) + nearness) * candidate
    best = alignment.topk(min(TOP_CELLS, alignment.shape[1]), dim=1)
    taken = torch.zeros_like(alignment).scatter_(1, best.indices, (best.values > 0).to(alignment.dtype)) > 0
    # A cell wanted by two objects answers for the one it overlaps more.
    winner = torch.where(taken, overlap + 1e-9, overlap.new_zeros(())).argmax(dim=0)
    kept = taken & (torch.arange(len(truth)).unsqueeze(1) == winner)
    strength = alignment * kept
    top = strength.amax(dim=1, keepdim=True).clamp(min=1e-12)
    best_overlap = (overlap * kept).amax(dim=1, keepdim=True).clamp(min=0.05)
    side = (truth[:, 2:] - truth[:, :2]).prod(1, keepdim=True).clamp(min=0.0).sqrt()
    best_overlap = best_overlap.pow((side / SURE_SIDE_PX).clamp(min=LEAST_POWER, max=1.0))
    quality = (strength / top * best_overlap).amax(dim=0)
    return torch.where(taken.any(dim=0), winner, -1), quality


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
    inside = torch.zeros((len(boxes), len(centres)), dtype=torch.bool)
    for image, number in torch.nonzero(wanted).tolist():
        left, top, right, bottom = boxes[image, number]
        inside[image] |= (
            (centres[:, 0] >= left) & (centres[:, 0] <= right) & (centres[:, 1] >= top) & (centres[:, 1] <= bottom)
        )
    return inside
