"""What several overlapping views of one frame showed, as one: an object seen twice is told once.

Two sights are of one object when, in the area that both views show, their boxes are alike. So a part of an object at a
tile's edge is compared with the same part of the whole object in the next tile, and no rule of thumb such as "the
smaller lies in the larger" takes a person for a part of the group behind. Sights of one view are never compared: its
decoder's own suppression has told them apart. A sight that ends at a tile's edge counts less than any whole one,
however sure the model was. Classes are compared, but for boxes in one place: a nut that is a washer from afar is told
once, as what the model was surer of.

Source: the merging of SAHI (Akyon et al., 2022), NMS and greedy NMM, with the comparison restricted to the shared area.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.tensors import Merge
from vigie.vision.detections import DETECTIONS_MAX, Detections
from vigie.vision.masks import spread_masks
from vigie.vision.oriented import corners_of, oriented_overlap

BoxXyxy = tuple[float, float, float, float]

# A box that ends within this share of its view's side from a cut edge may go on beyond it.
_AT_EDGE = 0.02
# Of what a cut sight shows in the shared area, this much must lie in the other box.
_COVERED = 0.6
# Two classes in one place are one object that two views call differently, unless one view shows both.
_ONE_PLACE = 0.7
# Sights that are compared, the best: all pairs of more would cost tens of milliseconds.
_COMPARED_MAX = 1000


def merge_views(
    seen: Sequence[Detections], views_xyxy: Sequence[BoxXyxy], *, merge: Merge, iou_max: float
) -> Detections:
    """One list, best score first, at most ``DETECTIONS_MAX``.

    Args: seen: of each view, in pixels of the frame and clipped to the view. iou_max: sights of one class that are more
        alike are one object's. merge: ``nmm`` puts the parts of an object together that no view shows whole, ``nms``
        keeps the best of them.
    """
    found = _joined(seen)
    of_view = np.repeat(np.arange(len(seen)), [len(one) for one in seen])
    boxes = found.boxes_xyxy
    rows = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
    rows = rows[np.argsort(-found.scores[rows], kind="stable")[:_COMPARED_MAX]]
    if not len(rows):
        return found.at(rows)
    found, of_view = found.at(rows), of_view[rows]
    views = np.asarray(views_xyxy, np.float32).reshape(-1, 4)
    cut = _cut(found.boxes_xyxy, views[of_view], views)
    alike = _alike(found, of_view, views[of_view], cut, iou_max)

    whole, parts = np.flatnonzero(~cut), np.flatnonzero(cut)
    kept = _greedy(whole, alike)
    # A part of what some view shows whole, also where that sight itself has fallen to a better one.
    loose = parts[~alike[np.ix_(parts, whole)].any(axis=1)]
    if merge == "nms":
        return _ordered(found.at(np.array(kept + _greedy(loose, alike), np.intp)))
    groups = _groups(loose, alike)
    single = kept + [group[0] for group in groups if len(group) == 1]
    together = [_together(found.at(np.array(group))) for group in groups if len(group) > 1]
    return _ordered(_joined([found.at(np.array(single, np.intp)), *together]))


def _joined(seen: Sequence[Detections]) -> Detections:
    points = [one.keypoints for one in seen if one.keypoints is not None]
    masks = [one.masks for one in seen if one.masks is not None]
    oriented = [one.oriented for one in seen if one.oriented is not None]
    return Detections(
        np.concatenate([one.boxes_xyxy for one in seen]),
        np.concatenate([one.scores for one in seen]),
        np.concatenate([one.class_ids for one in seen]),
        np.concatenate(points) if len(points) == len(seen) else None,
        np.concatenate(masks) if len(masks) == len(seen) else None,
        np.concatenate(oriented) if len(oriented) == len(seen) else None,
    )


def _cut(boxes: NDArray[np.float32], view: NDArray[np.float32], views: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,): whether the box reaches an edge of its view beyond which another view goes on."""
    outer = np.concatenate([views[:, :2].min(axis=0), views[:, 2:].max(axis=0)])
    near = (view[:, 2:] - view[:, :2]) * np.float32(_AT_EDGE)
    low = (boxes[:, :2] <= view[:, :2] + near) & (view[:, :2] > outer[:2])
    high = (boxes[:, 2:] >= view[:, 2:] - near) & (view[:, 2:] < outer[2:])
    return np.asarray((low | high).any(axis=1), np.bool_)


def _alike(
    found: Detections,
    of_view: NDArray[np.intp],
    view: NDArray[np.float32],
    cut: NDArray[np.bool_],
    iou_max: float,
) -> NDArray[np.bool_]:
    """(N, N): whether row and column are sights of one object; symmetric but for parts, which lie in the column's."""
    low = np.maximum(view[:, None, :2], view[None, :, :2])
    high = np.minimum(view[:, None, 2:], view[None, :, 2:])
    boxes = found.boxes_xyxy
    mine_low, mine_high = np.maximum(boxes[:, None, :2], low), np.minimum(boxes[:, None, 2:], high)
    mine = _area(mine_low, mine_high)
    other_low, other_high = np.swapaxes(mine_low, 0, 1), np.swapaxes(mine_high, 0, 1)
    shared = _area(np.maximum(mine_low, other_low), np.minimum(mine_high, other_high))
    union = mine + mine.T - shared
    same: NDArray[np.bool_] = shared > union * np.float32(iou_max)
    # What a cut sight shows beyond the shared area nobody else has seen, so it proves nothing against the other.
    own = np.maximum(_area(boxes[:, :2], boxes[:, 2:]), np.float32(1e-6))
    covered = (shared > mine * np.float32(_COVERED)) & (mine > own[:, None] * 0.5)
    same |= covered & cut[:, None] & ~cut[None, :]
    same &= found.class_ids[:, None] == found.class_ids[None, :]
    same |= shared > union * np.float32(max(_ONE_PLACE, iou_max))
    if found.oriented is not None:  # crossed strips have one upright box; only parts may differ in their turned ones
        same &= (oriented_overlap(found.oriented, found.oriented) > iou_max) | cut[:, None] | cut[None, :]
    same &= of_view[:, None] != of_view[None, :]
    return same


def _area(low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.maximum(high - low, 0.0)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float32)


def _greedy(rows: NDArray[np.intp], alike: NDArray[np.bool_]) -> list[int]:
    """Of ``rows``, best first, those that no better kept one is alike."""
    kept: list[int] = []
    gone = np.zeros(len(alike), np.bool_)
    for row in rows.tolist():
        if not gone[row]:
            kept.append(row)
            gone |= alike[row]
    return kept


def _groups(rows: NDArray[np.intp], alike: NDArray[np.bool_]) -> list[list[int]]:
    """``rows`` in groups that hang together, each with its best first."""
    left = dict.fromkeys(rows.tolist())
    groups = []
    while left:
        group = [next(iter(left))]
        del left[group[0]]
        for row in group:
            near = [other for other in left if alike[row, other]]
            for other in near:
                del left[other]
            group += near
        groups.append(sorted(group))
    return groups


def _together(parts: Detections) -> Detections:
    """The parts, best first, as one object: its box holds them all, its score is the best one's."""
    boxes = parts.boxes_xyxy
    box = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])[None]
    points = parts.keypoints
    if points is not None:
        surest = points[..., 2].argmax(axis=0)
        points = points[surest, np.arange(points.shape[1])][None]
    masks = parts.masks
    if masks is not None:
        masks = np.logical_or.reduce(spread_masks(masks, boxes, np.repeat(box, len(boxes), axis=0)), keepdims=True)
    oriented = None if parts.oriented is None else _around(parts.oriented)
    return Detections(box, parts.scores[:1], parts.class_ids[:1], points, masks, oriented)


def _around(parts: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1, 5): the smallest oriented box at the first one's angle that holds all of them."""
    angle = float(parts[0, 4])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    along = corners_of(parts).reshape(-1, 2) @ turn
    low, high = along.min(axis=0), along.max(axis=0)
    return np.array([[*(turn @ ((low + high) / 2)), *(high - low), angle]], np.float32)


def _ordered(found: Detections) -> Detections:
    return found.at(np.argsort(-found.scores, kind="stable")[:DETECTIONS_MAX])
