"""The figure that a card's ``parity`` speaks of: how far answers agree with the reference's, 0..1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.models import Card
from vigie.vision.decoders import make_decoder
from vigie_devkit.accuracy.agreement import ANOMALY_SCORE_WITHIN, agreement

Answers = Sequence[Sequence[NDArray[Any]]]


def parity_score(card: Card, reference: Answers, answers: Answers, *, score_min: float, iou_min: float = 0.5) -> float:
    """F1 of detections, or the share of frames with the same first class.

    Raises: ValueError: other numbers of frames.
    """
    if card.task == "classification":
        same = [
            int(left[0].reshape(-1).argmax()) == int(right[0].reshape(-1).argmax())
            for left, right in zip(reference, answers, strict=True)
        ]
        return float(np.mean(same))
    decode = make_decoder(card)
    iou_max = card.thresholds.iou_max
    score_min = 0.0 if card.task == "anomaly" else score_min
    first, second = (
        [decode(outputs, score_min=score_min, iou_max=iou_max) for outputs in side] for side in (reference, answers)
    )
    within = ANOMALY_SCORE_WITHIN if card.task == "anomaly" else None
    return agreement(first, second, iou_min=iou_min, score_within=within).f1
