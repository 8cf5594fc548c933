"""Several answers about one picture: one output [1, C], each class with a score of its own. The box is the tensor's.

``sigmoid``: the graph gives logits. Every class at or above the threshold is told; scores need not add up to 1.

Source: torch.nn.MultiLabelSoftMarginLoss and BCEWithLogitsLoss, which such networks are trained with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, select, sigmoid


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``sigmoid``: scores are without it."""

    sigmoid: bool = False


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._sigmoid = facts, params.sigmoid
        shape = facts.output_shapes[0] if len(facts.output_shapes) == 1 else ()
        facts.require((1, facts.class_count, *([1] * max(0, len(shape) - 2))))
        self._box = facts.whole_xyxy[None]

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        scores = outputs[0].reshape(-1).astype(np.float32)
        if self._sigmoid:
            scores = sigmoid(scores)
        seen = np.flatnonzero(scores >= cut.score_min)
        boxes = np.repeat(self._box, len(seen), axis=0)
        return select(boxes, scores[seen], seen.astype(np.int32), iou_max=None, classes=cut.classes)
