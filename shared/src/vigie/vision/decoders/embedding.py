"""Embeddings: one output [1, D] that says what a picture looks like, to be compared with others (re-identification).

One detection per picture, with the tensor as its box and a score of 1; its ``embeddings`` row is brought to length 1.

Source: the convention of ArcFace and of torchreid, which compare by the cosine of vectors of length 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections

# 4 kB as float16, 5.5 kB in a message: what a frame of the largest common networks costs upstream.
LENGTH_MAX = 2048


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to choose."""


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:  # noqa: ARG002  # every family takes them
        self._facts = facts
        shape = facts.output_shapes[0] if len(facts.output_shapes) == 1 else ()
        facts.require((1, None, *([1] * max(0, len(shape) - 2))))
        if not 2 <= shape[1] <= LENGTH_MAX:
            raise ValueError(f"an embedding has 2 to {LENGTH_MAX} numbers, the card has {shape[1]}")
        if facts.class_count != 1:
            raise ValueError(f"an embedding has one label, the card has {facts.class_count}")
        self._box = facts.whole_xyxy[None]

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        vector = outputs[0].reshape(1, -1).astype(np.float32)
        length = float(np.linalg.norm(vector.astype(np.float64)))
        # A vector without a direction says nothing, and neither does one with a hole.
        asked = cut.score_min <= 1.0 and (cut.classes is None or 0 in cut.classes)
        sound = np.isfinite(length) and length > 0 and asked
        rows = 1 if sound else 0
        unit = vector / np.float32(length) if sound else vector
        return Detections(
            self._box[:rows].copy(),
            np.ones(rows, np.float32),
            np.zeros(rows, np.int32),
            embeddings=np.ascontiguousarray(unit[:rows], np.float32),
        )
