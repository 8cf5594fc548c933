"""Do two models see the same? Detections of one are matched one to one with those of the other, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vigie.vision.detections import Detections
from vigie.vision.likeness import likeness_matrix

# An anomaly model answers with one score per picture, and a variant that changes it by more answers otherwise.
ANOMALY_SCORE_WITHIN = 0.1


@dataclass(frozen=True, slots=True)
class FrameMatch:
    """Index pairs (of the first, of the second) in one frame. ``flips``: the same place under another class."""

    pairs: tuple[tuple[int, int], ...]
    flips: tuple[tuple[int, int], ...]
    missing: tuple[int, ...]
    new: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """``f1``: 2 matched / (both counts), 1 if neither saw anything. Means are over matched pairs; 0 without any."""

    first: int
    second: int
    matched: int
    flips: int
    mean_iou: float
    mean_score_difference: float
    frames: int

    @property
    def f1(self) -> float:
        return 2 * self.matched / (self.first + self.second) if self.first + self.second else 1.0

    @property
    def missing(self) -> int:
        return self.first - self.matched - self.flips

    @property
    def new(self) -> int:
        return self.second - self.matched - self.flips


def match_frame(
    first: Detections, second: Detections, *, iou_min: float, score_within: float | None = None
) -> FrameMatch:
    """Greedy by IoU, the best pair of all first; each detection once. Same class for a pair, another for a flip.

    Args: score_within: how far scores of a pair may lie apart; ``None``: as far as they do.
    """
    overlap = likeness_matrix(first, second)
    if score_within is not None:
        overlap = np.where(np.abs(first.scores[:, None] - second.scores) <= score_within, overlap, np.float32(0))
    same = first.class_ids[:, None] == second.class_ids[None, :]
    pairs = _greedy(np.where(same, overlap, 0.0), iou_min)
    used_first, used_second = {left for left, _ in pairs}, {right for _, right in pairs}
    rest = np.where(same, 0.0, overlap)
    rest[sorted(used_first)] = 0.0
    rest[:, sorted(used_second)] = 0.0
    flips = _greedy(rest, iou_min)
    used_first |= {left for left, _ in flips}
    used_second |= {right for _, right in flips}
    return FrameMatch(
        pairs=tuple(pairs),
        flips=tuple(flips),
        missing=tuple(index for index in range(len(first)) if index not in used_first),
        new=tuple(index for index in range(len(second)) if index not in used_second),
    )


def agreement(
    first: Sequence[Detections],
    second: Iterable[Detections],
    *,
    iou_min: float = 0.5,
    score_within: float | None = None,
) -> Agreement:
    """Over all frames. ``first`` is the reference. Raises: ValueError: other numbers of frames."""
    ious: list[float] = []
    differences: list[float] = []
    flips = counted_second = frames = 0
    for left, right in zip(first, second, strict=True):
        match = match_frame(left, right, iou_min=iou_min, score_within=score_within)
        flips += len(match.flips)
        counted_second += len(right)
        frames += 1
        if match.pairs:
            rows, columns = (np.array(side) for side in zip(*match.pairs, strict=True))
            ious += np.diag(likeness_matrix(left.at(rows), right.at(columns))).tolist()
            differences += np.abs(left.scores[rows] - right.scores[columns]).tolist()
    return Agreement(
        first=sum(len(one) for one in first),
        second=counted_second,
        matched=len(ious),
        flips=flips,
        mean_iou=float(np.mean(ious)) if ious else 0.0,
        mean_score_difference=float(np.mean(differences)) if differences else 0.0,
        frames=frames,
    )


def _greedy(overlap: np.ndarray, iou_min: float) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    left = overlap.copy()
    while left.size:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        if left[row, column] < iou_min:
            break
        pairs.append((int(row), int(column)))
        left[row] = 0.0
        left[:, column] = 0.0
    return pairs
