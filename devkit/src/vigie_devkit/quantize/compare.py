"""``vigie models compare``: what two models make of the same frames, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vigie.errors import CalibrationError
from vigie.models import Bundle, load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie.vision.detections import Detections
from vigie.vision.oriented import oriented_to_frame
from vigie.vision.transform import inverse, points_to_frame
from vigie_devkit.accuracy.agreement import ANOMALY_SCORE_WITHIN, Agreement, FrameMatch, agreement, match_frame
from vigie_devkit.accuracy.side_by_side import jpeg, side_by_side
from vigie_devkit.quantize.progress import bar
from vigie_devkit.quantize.samples import TensorSample
from vigie_devkit.quantize.sources import read_source

# Wider than any tensor: key points are clipped to their frame, and need no second edge.
_ANYWHERE = (1 << 20, 1 << 20)


@dataclass(frozen=True, slots=True)
class Side:
    """A model to compare: ``variant`` None = the card's first."""

    folder: Path
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class FrameDifference:
    """One frame. Boxes of both in the first model's tensor pixels, classes by the first model's labels."""

    sample: TensorSample
    first: Detections
    second: Detections
    match: FrameMatch

    @property
    def count(self) -> int:
        return len(self.match.missing) + len(self.match.new) + len(self.match.flips)


@dataclass(frozen=True, slots=True)
class Comparison:
    """``names``: of both, as shown. ``labels``: of the first, then those that only the second has."""

    names: tuple[str, str]
    total: Agreement
    frames: tuple[FrameDifference, ...]
    labels: tuple[str, ...]

    def worst(self, count: int) -> list[FrameDifference]:
        """Frames that differ, the worst first."""
        return sorted((frame for frame in self.frames if frame.count), key=lambda frame: -frame.count)[:count]

    def alike(self, count: int) -> list[FrameDifference]:
        """Frames in which both saw the same, those with most objects first."""
        agreed = (frame for frame in self.frames if not frame.count)
        return sorted(agreed, key=lambda frame: -len(frame.first.class_ids))[:count]

    def picture(self, frame: FrameDifference) -> bytes:
        """JPEG, both side by side."""
        sides = ((self.names[0], frame.first), (self.names[1], frame.second))
        return jpeg(side_by_side(frame.sample.tensor_hwc, sides, frame.match, self.labels))


def compare_models(
    first: Side, second: Side, source: str, *, frames: int, score_min: float | None = None, iou_min: float = 0.5
) -> Comparison:
    """Run both on the same frames, each fed as its own card says.

    Args: score_min: for both; ``None``: each card's own.
    Raises: any error of ``load_bundle`` and ``open_engine``. CalibrationError: the source, or models of other tasks.
    """
    bundles = load_bundle(first.folder), load_bundle(second.folder)
    if bundles[0].card.task != bundles[1].card.task:
        raise CalibrationError(
            source, f"{bundles[0].card.task} cannot be compared with {bundles[1].card.task}; pass models of one task"
        )
    samples = [read_source(source, bundle.card, frames) for bundle in bundles]
    labels = list(bundles[0].card.labels)
    labels += [label for label in bundles[1].card.labels if label not in labels]
    with bar("both models", 2 * len(samples[0])) as step:
        seen = []
        for bundle, side, mine in zip(bundles, (first, second), samples, strict=True):
            seen.append(_detect(bundle, side.variant, mine, score_min, step))
    seen[1] = [
        _as_first(found, bundles[1].card.labels, labels, (theirs, mine))
        for found, theirs, mine in zip(seen[1], samples[1], samples[0], strict=True)
    ]
    within = ANOMALY_SCORE_WITHIN if bundles[0].card.task == "anomaly" else None
    rows = tuple(
        FrameDifference(sample, left, right, match_frame(left, right, iou_min=iou_min, score_within=within))
        for sample, left, right in zip(samples[0], *seen, strict=True)
    )
    return Comparison(
        names=(_shown(bundles[0], first.variant), _shown(bundles[1], second.variant)),
        total=agreement(seen[0], seen[1], iou_min=iou_min, score_within=within),
        frames=rows,
        labels=tuple(labels),
    )


def _detect(
    bundle: Bundle,
    variant: str | None,
    samples: Sequence[TensorSample],
    score_min: float | None,
    step: Callable[[], None],
) -> list[Detections]:
    decode = make_decoder(bundle.card)
    # A classifier's first answer counts, however unsure it is, and the score of a good part.
    least = 0.0 if bundle.card.task in {"classification", "anomaly"} else bundle.card.thresholds.score_min
    found = []
    with open_engine(bundle, variant) as engine:
        for sample in samples:
            found.append(
                decode(
                    engine.run(sample.tensor_hwc),
                    score_min=least if score_min is None else score_min,
                    iou_max=bundle.card.thresholds.iou_max,
                )
            )
            step()
    return found


def _as_first(
    found: Detections, theirs: Sequence[str], labels: Sequence[str], samples: tuple[TensorSample, TensorSample]
) -> Detections:
    """The second model's detections in the first one's pixels and class numbers."""
    numbers = np.array([labels.index(label) for label in theirs], np.int32)
    second, first = samples
    boxes = first.transform.to_tensor(second.transform.to_frame(found.boxes_xyxy, second.frame_hw))
    points, oriented, back = found.keypoints, found.oriented, inverse(first.transform)
    if points is not None:
        points = points_to_frame(points_to_frame(points, second.transform, second.frame_hw), back, _ANYWHERE)
    if oriented is not None:
        oriented = oriented_to_frame(oriented_to_frame(oriented, second.transform), back)
    class_ids = numbers[found.class_ids]
    return Detections(
        boxes, found.scores, class_ids, points, found.masks, oriented, found.embeddings, found.class_masks
    )


def _shown(bundle: Bundle, variant: str | None) -> str:
    return f"{bundle.card.name}/{bundle.variant(variant).name}"
