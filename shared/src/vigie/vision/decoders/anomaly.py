"""Anomaly maps (Anomalib: PaDiM, PatchCore, EfficientAD, ..): is the picture unlike those of good parts, and where?

``parts`` names the outputs in their order: ``score`` [1] or [1, 1], ``label`` of the same shape (true: abnormal),
``map`` and ``mask`` [1, 1, H, W] or [1, H, W]. At most one detection per picture: its score, the box around what is
abnormal and its mask; where no place is, the whole picture. What is abnormal the graph says by its label and mask;
without them ``threshold`` and ``map_threshold`` do. Raw scores and maps (``span``: how far apart the scores of training
lie) are brought to 0..1 with the threshold at 0.5, as Anomalib does. A ``score_min`` of 0 asks for every picture's
score.

Source: open-edge-platform/anomalib 2.7, post_processing/post_processor.py; 1.x, deploy/inferencers/base_inferencer.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.class_masks import GRID, class_mask_of
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections

Part = Literal["score", "label", "map", "mask"]
_Positive = Annotated[float, msgspec.Meta(gt=0)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module; the thresholds are in the unit of the outputs."""

    parts: Annotated[tuple[Part, ...], msgspec.Meta(min_length=1, max_length=4)] = ("map",)
    threshold: float = 0.5
    map_threshold: float = 0.5
    span: _Positive = 1.0


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._params, self._facts = params, facts
        if len(set(params.parts)) != len(params.parts) or len(params.parts) != len(facts.output_shapes):
            raise ValueError(f"{len(facts.output_shapes)} outputs cannot be {', '.join(params.parts)}")
        if not {"score", "map"} & set(params.parts):
            raise ValueError("an anomaly model has a score or a map")
        for part, shape in zip(params.parts, facts.output_shapes, strict=True):
            single = part in {"score", "label"}
            if (single and np.prod(shape) != 1) or (not single and (len(shape) < 3 or np.prod(shape[:-2]) != 1)):
                raise ValueError(f"its {part} has the shape {list(shape)}")
        if facts.class_count != 1:
            raise ValueError(f"an anomaly model has one label, the card has {facts.class_count}")
        self._scale = facts.sides_whwh

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        seen = dict(zip(self._params.parts, outputs, strict=True))
        raw = float(seen["score"].reshape(-1)[0]) if "score" in seen else float(seen["map"].max())
        score = float(np.clip((raw - self._params.threshold) / self._params.span + 0.5, 0.0, 1.0))
        # Scores that the graph has brought to 0..1 keep their digits.
        score = raw if (self._params.threshold, self._params.span) == (0.5, 1.0) and 0 <= raw <= 1 else score
        normal = "label" in seen and not bool(seen["label"].reshape(-1)[0])
        if not np.isfinite(raw) or score < cut.score_min or (normal and cut.score_min > 0):
            return Detections.none()
        if cut.classes is not None and 0 not in cut.classes:
            return Detections.none()
        box, mask = self._place(seen)
        return Detections(
            (box * self._scale)[None],
            np.array([score], np.float32),
            np.zeros(1, np.int32),
            class_masks=mask[None],
        )

    def _place(self, seen: dict[Part, NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Where it is: a box in shares of the sides and a grid over it; an empty grid over the whole: nowhere."""
        inside = None
        if "mask" in seen:
            inside = seen["mask"].reshape(seen["mask"].shape[-2:]) > 0
        elif "map" in seen:
            inside = seen["map"].reshape(seen["map"].shape[-2:]) > self._params.map_threshold
        if inside is None or not inside.any():
            return np.array([0, 0, 1, 1], np.float32), np.zeros((GRID, GRID), np.bool_)
        return class_mask_of(inside)
