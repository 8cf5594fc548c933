"""How good are answers? By the task's own measure where the frames are labelled, else by agreement with fp32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.models import Card
from vigie.vision.decoders import make_decoder
from vigie.vision.detections import Detections
from vigie_devkit.accuracy.agreement import ANOMALY_SCORE_WITHIN, agreement
from vigie_devkit.accuracy.average_precision import FrameFound, found_in_frame, mean_average_precision
from vigie_devkit.quantize.samples import TensorSample

Run = Callable[[NDArray[np.uint8]], Sequence[NDArray[Any]]]

# As in vigie_devkit.train.evaluate: low enough for the whole curve, high enough that a frame stays cheap.
CURVE_SCORE_MIN = 0.01
CURVE_IOU_MAX = 0.6
# Of labelled detections: what is found at all, and how well the boxes fit.
MEASURES = ("mAP50", "mAP50-95")


@dataclass(frozen=True, slots=True)
class Score:
    """``headline``: the measure that is told first, 0..1. ``figures``: every measure by name, 0..1. ``asked``: those of
    them that the budget is about; none: the headline. ``labelled``: whether the frames are, so that the headline is
    the task's own measure; else it is the agreement with fp32.
    """

    metric: str
    headline: float
    figures: dict[str, float] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    labelled: bool = True

    @property
    def agreement(self) -> float:
        """With fp32, whatever the headline is."""
        return self.figures.get("agreement f1", self.figures.get("agreement top1", self.headline))


@dataclass(frozen=True, slots=True)
class Budget:
    """``max_drop``: points that may be lost of each labelled measure, on each source; ``min_agreement``: 0..1, where
    there are no labels.
    """

    max_drop: float = 0.5
    min_agreement: float = 0.95

    def widened(self, points: float) -> Budget:
        """With ``points`` more to lose: few frames cannot tell half a point."""
        return Budget(self.max_drop + points, self.min_agreement)

    def allows(self, reference: Score, score: Score) -> bool:
        # A rounding of the last digit must not decide.
        return self.missing(reference, score) <= 1e-9

    def missing(self, reference: Score, score: Score) -> float:
        """How far ``score`` is outside, in 0..1; at most 0 inside."""
        if not score.labelled:
            return self.min_agreement - score.headline
        return self.most_lost(reference, score)[1] - self.max_drop / 100.0

    @staticmethod
    def most_lost(reference: Score, score: Score) -> tuple[str, float]:
        """The measure under the budget that ``score`` loses most of, and how much, in 0..1."""
        if not score.asked:
            return score.metric, reference.headline - score.headline
        lost = {name: reference.figures[name] - score.figures[name] for name in score.asked}
        worst = max(lost, key=lambda name: lost[name])
        return worst, lost[worst]


class Judge:
    """Scores anything that answers like the model on the same frames.

    ``reference``: the float model's own answers are taken once, when the judge is made.
    """

    def __init__(
        self, card: Card, samples: Sequence[TensorSample], run: Run, *, score_min: float, step: Callable[[], None]
    ) -> None:
        """``run`` is the float model; ``step`` is called after each frame."""
        self.card, self.samples = card, samples
        self._decode = make_decoder(card)
        self._score_min = score_min
        self._is_classifier = card.task == "classification"
        self._is_anomaly = card.task == "anomaly"
        self.labelled = bool(samples) and all(
            (sample.class_id if self._is_classifier else sample.truth) is not None for sample in samples
        )
        self._groups: dict[str, list[int]] = {}
        for index, sample in enumerate(samples):
            self._groups.setdefault(sample.source, []).append(index)
        self.float_outputs: list[list[NDArray[Any]]] = []
        for sample in samples:
            self.float_outputs.append([np.array(output) for output in run(sample.tensor_hwc)])
            step()
        self._seen = [self.decode(outputs) for outputs in self.float_outputs]
        self.reference = self._score(self.float_outputs)

    @property
    def resolution(self) -> float:
        """What one object (or picture) more or less changes, in 0..1; without labels nothing smaller is asked for."""
        if not self.labelled:
            return 0.0
        if self._is_classifier:
            return 1.0 / len(self.samples)
        return max(1.0 / max(1, self._objects(group)) for group in self._groups.values())

    def _objects(self, group: Sequence[int]) -> int:
        truths = (self.samples[index].truth for index in group)
        return sum(int((~truth.ignore).sum()) for truth in truths if truth is not None)

    def score(self, run: Run, step: Callable[[], None] = lambda: None) -> Score:
        """Run every frame and score the answers."""
        return self._score(self._answers(run, step))

    def decode(self, outputs: Sequence[NDArray[Any]]) -> Detections:
        """What a viewer would be shown: the card's thresholds, the judge's score."""
        score_min = 0.0 if self._is_classifier or self._is_anomaly else self._score_min
        return self._decode(outputs, score_min=score_min, iou_max=self.card.thresholds.iou_max)

    def _answers(self, run: Run, step: Callable[[], None]) -> Iterator[Sequence[NDArray[Any]]]:
        for sample in self.samples:
            yield run(sample.tensor_hwc)
            step()

    def _score(self, answers: Iterator[Sequence[NDArray[Any]]] | Sequence[Sequence[NDArray[Any]]]) -> Score:
        return self._classified(answers) if self._is_classifier else self._detected(answers)

    def _classified(self, answers: Any) -> Score:
        wanted = [int(output[0].reshape(-1).argmax()) for output in self.float_outputs]
        same: list[bool] = []
        first: list[bool] = []
        fifth: list[bool] = []
        for sample, outputs, reference in zip(self.samples, answers, wanted, strict=True):
            order = np.argsort(-outputs[0].reshape(-1).astype(np.float32), kind="stable")
            same.append(int(order[0]) == reference)
            if self.labelled:
                first.append(int(order[0]) == sample.class_id)
                fifth.append(sample.class_id in order[:5].tolist())
        figures = {"agreement top1": float(np.mean(same))}
        if not self.labelled:
            return Score("agreement top1", figures["agreement top1"], figures, labelled=False)
        figures |= {"top1": float(np.mean(first)), "top5": float(np.mean(fifth))}
        return Score("top1", figures["top1"], figures)

    def _detected(self, answers: Any) -> Score:
        seen: list[Detections] = []
        found: list[FrameFound] = []
        for sample, outputs in zip(self.samples, answers, strict=True):
            seen.append(self.decode(outputs))
            if self.labelled:
                found.append(self._found(sample, outputs))
        same = agreement(self._seen, seen, score_within=ANOMALY_SCORE_WITHIN if self._is_anomaly else None)
        figures = {"agreement f1": same.f1, "mean iou": same.mean_iou, "score difference": same.mean_score_difference}
        if not self.labelled:
            return Score("agreement f1", same.f1, figures, labelled=False)
        figures |= self._average_precisions(found, range(len(found)), "")
        if len(self._groups) == 1:
            return Score("mAP50", figures["mAP50"], figures, MEASURES)
        # Normal scenes must not pay for hard ones: what is lost on each source is under the budget.
        for source, group in self._groups.items():
            figures |= self._average_precisions(found, group, f", {source}")
        asked = tuple(f"{measure}, {source}" for source in self._groups for measure in MEASURES)
        return Score("mAP50", figures["mAP50"], figures, asked)

    def _average_precisions(self, found: Sequence[FrameFound], group: Sequence[int], of_what: str) -> dict[str, float]:
        truth = [one for index in group if (one := self.samples[index].truth) is not None]
        measured = mean_average_precision(truth, [found[index] for index in group], self.card.labels)
        return {f"{MEASURES[0]}{of_what}": measured.map50, f"{MEASURES[1]}{of_what}": measured.map50_95}

    def _found(self, sample: TensorSample, outputs: Sequence[NDArray[Any]]) -> FrameFound:
        detections = self._decode(outputs, score_min=CURVE_SCORE_MIN, iou_max=CURVE_IOU_MAX)
        return found_in_frame(detections, sample.transform, sample.frame_hw)
