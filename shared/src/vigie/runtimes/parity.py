"""Does an engine answer here as the reference does? Decoded results by the task's measure; tensors as diagnosis.

Detectors: detections of the reference at or above its threshold are looked for among those of the engine (same class,
IoU, score within the tolerance), and the other way round; a score just across the threshold is no disagreement.
Classifiers: the same top class. Both: finite on an all-zero and a saturated picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.models.card import Card
from vigie.vision.decoders import make_decoder
from vigie.vision.decoding import Decoder
from vigie.vision.detections import Detections
from vigie.vision.likeness import likeness_matrix

Outputs = list[NDArray[Any]]

# Where neither card nor twin says how much must agree. A faithful float runtime scores 1.0; int8 of a sound detector
# stays above 0.95 on its own frames; a broken one falls to 0.
AGREEMENT_MIN = 0.9


class ParityResult(msgspec.Struct, frozen=True):
    """``agreement`` is what is judged: F1 of a detector, top-1 of a classifier, 0..1 over all ``frames``.

    ``sqnr_db`` and ``cosine`` of the worst output explain, they do not judge. ``why`` is empty if passed.
    """

    passed: bool
    metric: Literal["f1", "top1", "none"]
    agreement: float
    minimum: float
    frames: int
    finite: bool
    recall: float = 1.0
    precision: float = 1.0
    iou_mean: float = 1.0
    score_diff: float = 0.0
    sqnr_db: float | None = None
    cosine: float | None = None
    why: str = ""


def judge(
    card: Card,
    run: Callable[[NDArray[np.uint8]], Outputs],
    frames: Sequence[tuple[NDArray[np.uint8], Outputs]],
    *,
    minimum: float | None = None,
) -> ParityResult:
    """Run the engine on each reference frame and on two without content.

    Args: frames: input (H, W, 3) uint8 and the reference's outputs. minimum: of the agreement; None = the default.
    Raises: whatever ``run`` raises.
    """
    wanted = AGREEMENT_MIN if minimum is None else minimum
    own = [[np.array(output) for output in run(tensor)] for tensor, _ in frames]
    shape = (card.input.height, card.input.width, 3)
    empty = [[np.array(output) for output in run(np.full(shape, level, np.uint8))] for level in (0, 255)]
    finite = all(np.isfinite(output).all() for outputs in (*own, *empty) for output in outputs if _is_float(output))
    if not frames:
        why = "" if finite else "its outputs hold NaN or infinity"
        return ParityResult(finite, "none", 1.0 if finite else 0.0, wanted, 0, finite, why=why)
    sqnr_db, cosine = _tensors([outputs for _, outputs in frames], own)
    references = [outputs for _, outputs in frames]
    figures = _top1(references, own) if card.task == "classification" else _detections(card, references, own)
    agreement = figures["agreement"] if finite else 0.0
    passed = finite and agreement >= wanted
    why = "" if passed else _why(card, figures, wanted, sqnr_db, finite=finite)
    return ParityResult(
        passed,
        "top1" if card.task == "classification" else "f1",
        round(agreement, 4),
        wanted,
        len(frames),
        finite,
        recall=round(figures.get("recall", agreement), 4),
        precision=round(figures.get("precision", agreement), 4),
        iou_mean=round(figures.get("iou_mean", 1.0), 4),
        score_diff=round(figures.get("score_diff", 0.0), 4),
        sqnr_db=None if sqnr_db is None else round(sqnr_db, 1),
        cosine=None if cosine is None else round(cosine, 5),
        why=why,
    )


def _why(card: Card, figures: dict[str, float], wanted: float, sqnr_db: float | None, *, finite: bool) -> str:
    if not finite:
        return "its outputs hold NaN or infinity"
    tail = "" if sqnr_db is None else f", SQNR {sqnr_db:.1f} dB"
    if card.task == "classification":
        return f"top-1 agrees in {figures['agreement']:.3f} of the reference frames, {wanted:g} wanted{tail}"
    return (
        f"F1 against the reference is {figures['agreement']:.3f} (recall {figures['recall']:.3f}, precision "
        f"{figures['precision']:.3f}), {wanted:g} wanted{tail}"
    )


def _detections(card: Card, references: list[Outputs], own: list[Outputs]) -> dict[str, float]:
    facts = card.reference
    score_min = facts.score_min if facts is not None else card.thresholds.score_min
    if card.task == "anomaly":
        score_min = 0.0  # good parts are most of what is seen: their scores count too
    within = facts.score_tolerance if facts is not None else 0.1
    iou_min = facts.match_iou_min if facts is not None else 0.5
    decoder = make_decoder(card)
    wanted = found = recalled = confirmed = 0
    overlaps: list[float] = []
    differences: list[float] = []
    for reference, answer in zip(references, own, strict=True):
        strict_r, loose_r = _decode(decoder, card, reference, score_min, within)
        strict_a, loose_a = _decode(decoder, card, answer, score_min, within)
        pairs = match(strict_r, loose_a, iou_min=iou_min, score_within=within)
        wanted, found = wanted + len(strict_r), found + len(strict_a)
        recalled += len(pairs)
        confirmed += len(match(strict_a, loose_r, iou_min=iou_min, score_within=within))
        overlaps += [overlap for _, _, overlap in pairs]
        differences += [abs(float(strict_r.scores[i] - loose_a.scores[j])) for i, j, _ in pairs]
    recall = recalled / wanted if wanted else 1.0
    precision = confirmed / found if found else 1.0
    f1 = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
    return {
        "agreement": f1,
        "recall": recall,
        "precision": precision,
        "iou_mean": float(np.mean(overlaps)) if overlaps else 1.0,
        "score_diff": float(np.mean(differences)) if differences else 0.0,
    }


def _decode(
    decoder: Decoder, card: Card, outputs: Outputs, score_min: float, within: float
) -> tuple[Detections, Detections]:
    iou_max = card.thresholds.iou_max
    return (
        decoder(outputs, score_min=score_min, iou_max=iou_max),
        decoder(outputs, score_min=max(0.0, score_min - within), iou_max=iou_max),
    )


def match(
    first: Detections, second: Detections, *, iou_min: float, score_within: float
) -> list[tuple[int, int, float]]:
    """Pairs (index, index, IoU), each detection in one pair at most, the best scores of ``first`` served first."""
    if not len(first) or not len(second):
        return []
    overlap = likeness_matrix(first, second)
    allowed = overlap >= iou_min
    allowed &= first.class_ids[:, None] == second.class_ids
    allowed &= np.abs(first.scores[:, None] - second.scores) <= score_within
    overlap = np.where(allowed, overlap, -1.0)
    pairs = []
    for index in range(len(first)):
        other = int(overlap[index].argmax())
        if overlap[index, other] >= 0:
            pairs.append((index, other, float(overlap[index, other])))
            overlap[:, other] = -1.0
    return pairs


def _top1(references: list[Outputs], own: list[Outputs]) -> dict[str, float]:
    same = [
        int(reference[0].reshape(-1).argmax()) == int(answer[0].reshape(-1).argmax())
        for reference, answer in zip(references, own, strict=True)
    ]
    return {"agreement": sum(same) / len(same)}


def _tensors(references: list[Outputs], own: list[Outputs]) -> tuple[float | None, float | None]:
    """The worst output's SQNR in dB and cosine over all frames; None where the picture decides the shape."""
    ratios: list[float] = []
    cosines: list[float] = []
    for index in range(len(references[0])):
        wanted = [outputs[index] for outputs in references]
        had = [outputs[index] for outputs in own]
        if any(one.shape != two.shape for one, two in zip(wanted, had, strict=True)):
            return None, None
        signal = np.concatenate([array.reshape(-1).astype(np.float64) for array in wanted])
        other = np.concatenate([array.reshape(-1).astype(np.float64) for array in had])
        if not np.isfinite(other).all():
            return None, None
        noise, power = float(((signal - other) ** 2).sum()), float((signal**2).sum())
        # Equal to the bit is infinitely good; 200 dB says so in a number that JSON can hold.
        ratios.append(200.0 if noise == 0 else max(-200.0, 10 * math.log10(power / noise)) if power else -200.0)
        lengths = math.sqrt(power) * math.sqrt(float((other**2).sum()))
        cosines.append(float(signal @ other) / lengths if lengths else 1.0)
    return min(ratios), min(cosines)


def _is_float(array: NDArray[Any]) -> bool:
    return array.dtype.kind == "f"
