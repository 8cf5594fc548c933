"""One run on each reference picture, read as concluded: is what comes out detections of those pictures?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.models.card import Card, Concluded
from vigie.vision.decoding import Decoder
from vigie.vision.detections import Detections

_KEEP_ALL = 1.0
_BELOW_ALL = -1e9
_ROUNDING = 2e-3
_MOST = 0.9
_SUREST = 30


def judge(
    card: Card, decoder: Decoder, runs: Sequence[Sequence[NDArray[Any]]], *, vouched: bool
) -> tuple[list[Concluded], str]:
    """What the runs showed, and why they cannot be right (empty: nothing speaks against it).

    Args: runs: outputs in the card's order, one list per reference picture. vouched: the exporter names itself, so that
        an answer that never changes is reported rather than refused.
    """
    same = len(runs) > 1 and all(
        left.shape == right.shape and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
        for other in runs[1:]
        for left, right in zip(runs[0], other, strict=True)
    )
    found = [decoder(list(outputs), score_min=_BELOW_ALL, iou_max=_KEEP_ALL) for outputs in runs]
    if card.task in {"detection", "pose", "segmentation", "oriented", "semantic", "anomaly"}:
        doubt = next((why for one in found if (why := _impossible(one, (card.input.height, card.input.width)))), "")
        if doubt:
            return [], doubt
    empty = not any(len(one) for one in found)
    if same and not empty and not vouched:
        return [], f"it answers the same on {len(runs)} different pictures: it is blind to what it is fed"
    return [Concluded("trial", _seen(found, len(runs), same=same, empty=empty), "it was run on them")], ""


def _seen(found: Sequence[Detections], pictures: int, *, same: bool, empty: bool) -> str:
    if empty:
        return f"nothing found on {pictures} reference pictures, so its boxes were not seen"
    if same:
        return f"CAUTION: the same answer on {pictures} different pictures"
    best = max(float(one.scores.max()) for one in found if len(one))
    return f"{sum(len(one) for one in found)} candidates on {pictures} pictures, best score {best:.2f}"


def _impossible(found: Detections, input_hw: tuple[int, int]) -> str:
    """Why these cannot be detections; empty where they may be."""
    if not len(found):
        return ""
    low, high = float(found.scores.min()), float(found.scores.max())
    boxes = found.boxes_xyxy.astype(np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    has_area: NDArray[np.bool_] = sides.min(axis=1) > 0
    # What a detector is least sure of need not be a box: faces found by chance in a drawing have sides below zero.
    surest = np.argsort(-found.scores, kind="stable")[:_SUREST]
    scale = np.array([input_hw[1], input_hw[0]], np.float64)
    middle = (boxes[:, 2:] + boxes[:, :2]) / 2 / scale
    inside = float(((middle > -0.25) & (middle < 1.25)).all(axis=1).mean())
    reasons = {
        f"its scores lie in {low:.3g}..{high:.3g}, scores lie in 0..1": low < -_ROUNDING or high > 1 + _ROUNDING,
        "too many of its boxes have no width or height: their columns are not left, top, right, bottom": max(
            float(has_area.mean()), float(has_area[surest].mean())
        )
        < _MOST,
        "its boxes lie outside the picture": inside < _MOST,
        "all of its boxes are dots in a corner: they are shares of the picture, not pixels": float(np.abs(boxes).max())
        <= 2.0
        and min(input_hw) > 16,
        "its boxes are several times as large as the picture": float(np.median(sides / scale)) > 4.0,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
