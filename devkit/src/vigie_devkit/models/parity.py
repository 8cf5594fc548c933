"""Does the folded graph answer as the original file? Tensors first, then what the decoder makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import ModelParityError
from vigie.models.card import Card
from vigie.vision.decoding import Decoder
from vigie.vision.detections import Detections
from vigie.vision.matching import count_matched

# No suppression: which of two equals falls is chance, and the next box depends on it.
KEEP_ALL = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Both graphs' outputs for one picture, in the card's order; ``flat``: the picture has one colour only."""

    flat: bool
    original: list[NDArray[Any]]
    folded: list[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much rounding may show. ``tensor``: absolute and relative; ``score``, ``iou``: where rows changed places."""

    tensor: float
    score: float
    iou: float


# Folding only reorders roundings: measured up to 4e-5 of the value in float32, 2e-2 in half precision.
SINGLE = Tolerance(1e-3, 0.01, 0.95)
HALF = Tolerance(1e-2, 0.05, 0.8)


def compare(card: Card, decoder: Decoder, answers: Sequence[Answers], tolerance: Tolerance = SINGLE) -> None:
    """Refuse a folded graph that sees something else.

    A picture of one colour is asked for NaN and infinity only: there hundreds of cells say exactly the same, and
    which of them are among the best is chance.

    Raises: ModelParityError: not finite where the original was, or detections without a counterpart.
    """
    for answer in answers:
        pairs = list(zip(card.outputs, answer.original, answer.folded, strict=True))
        for output, left, right in pairs:
            if np.isfinite(left).all() and not np.isfinite(right).all():
                raise ModelParityError(card.name, f"output '{output.name}' holds NaN or infinity after folding")
        if not answer.flat:
            require_same(card, decoder, answer, tolerance)


def require_same(card: Card, decoder: Decoder, answer: Answers, tolerance: Tolerance, *, who: str = "folded") -> None:
    """The same tensors within rounding, or at least the same detections, both ways.

    Args: who: what to call the side that is not the original.
    Raises: ModelParityError: detections without a counterpart.
    """
    if all(_close(left, right, tolerance) for left, right in zip(answer.original, answer.folded, strict=True)):
        return
    lists = (("original", answer.original, answer.folded), (who, answer.folded, answer.original))
    for side, these, those in lists:
        wanted, lost = _lost(card, decoder, these, those, tolerance)
        if lost:
            raise ModelParityError(
                card.name,
                f"{lost} of {wanted} detections of the {side} graph have no counterpart "
                f"(IoU >= {tolerance.iou}, score within {tolerance.score})",
            )


def _close(left: NDArray[Any], right: NDArray[Any], tolerance: Tolerance) -> bool:
    if left.shape != right.shape:
        return False
    return np.allclose(left, right, rtol=tolerance.tensor, atol=tolerance.tensor, equal_nan=True)


def _lost(
    card: Card, decoder: Decoder, these: list[NDArray[Any]], those: list[NDArray[Any]], tolerance: Tolerance
) -> tuple[int, int]:
    """How many detections of ``these`` are clear of the threshold, and how many of them ``those`` do not have."""
    floor = max(card.thresholds.score_min, 0.05)
    wanted = decoder(these, score_min=floor + tolerance.score, iou_max=KEEP_ALL)
    among = decoder(those, score_min=max(0.0, floor - tolerance.score), iou_max=KEEP_ALL)
    if len(among) and len(among) == len(decoder(those, score_min=0.0, iou_max=KEEP_ALL)):
        # The list is full: what scores like its last was cut off, or not, by rounding.
        wanted = _above(wanted, float(among.scores[-1]) + tolerance.score)
    matched = count_matched(wanted, among, iou_min=tolerance.iou, score_within=tolerance.score)
    return len(wanted), len(wanted) - matched


def _above(found: Detections, score_min: float) -> Detections:
    return found.at(found.scores > score_min)
