"""Does the folded graph answer as the original file? Tensors first, then what the decoder makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import ModelParityError
from vigie.models.card import Card
from vigie.vision.detections import Decoder, Detections
from vigie.vision.matching import count_matched

# Folding only reorders float32 additions: what is left is rounding, three orders below what a score shows.
SCORE_DIFFERENCE_MAX = 0.01
MATCH_IOU_MIN = 0.95
SCORE_MARGIN = 0.02

Answers = tuple[list[NDArray[Any]], list[NDArray[Any]]]


def compare(card: Card, decoder: Decoder, answers: Sequence[Answers]) -> None:
    """Refuse a folded graph that sees something else.

    Args: answers: per picture, the outputs of the original and of the folded graph, in the card's order.
    Raises: ModelParityError: not finite where the original was, or detections without a counterpart.
    """
    for before, after in answers:
        for output, left, right in zip(card.outputs, before, after, strict=True):
            if np.isfinite(left).all() and not np.isfinite(right).all():
                raise ModelParityError(card.name, f"output '{output.name}' holds NaN or infinity after folding")
        floor = max(card.thresholds.score_min, 0.05)
        strong, weak = floor + SCORE_MARGIN, max(floor - SCORE_MARGIN, 0.0)
        # What is clear of the threshold on one side must be there on the other, somewhat below it if need be.
        here, here_weak = _decode(decoder, before, card, strong), _decode(decoder, before, card, weak)
        there, there_weak = _decode(decoder, after, card, strong), _decode(decoder, after, card, weak)
        for wanted, among, who in ((here, there_weak, "original"), (there, here_weak, "folded")):
            lost = len(wanted) - count_matched(wanted, among, iou_min=MATCH_IOU_MIN, score_within=SCORE_DIFFERENCE_MAX)
            if lost:
                raise ModelParityError(
                    card.name,
                    f"{lost} of {len(wanted)} detections of the {who} graph have no counterpart "
                    f"(IoU >= {MATCH_IOU_MIN}, score within {SCORE_DIFFERENCE_MAX})",
                )


def _decode(decoder: Decoder, outputs: list[NDArray[Any]], card: Card, score_min: float) -> Detections:
    return decoder(outputs, score_min=score_min, iou_max=card.thresholds.iou_max)
