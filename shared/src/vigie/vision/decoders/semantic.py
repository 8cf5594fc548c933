"""Semantic segmentation: which class each place of the picture shows; a mask of each class that is seen.

One output. ``values``: ``logits`` or ``shares`` of each class, [1, C, H, W] or with ``channels_last`` [1, H, W, C], the
greatest counts; of one class only, a place is inside above 0 or 0.5. ``index``: class numbers, [1, H, W] or
[1, 1, H, W], of which ``first`` is label 0. The score of a class mask is how sure the model is of its class,
in the mean over its cells; of class numbers 1.
Places outside of a class that is told, and the class ``background``, are not told.

Source: torchvision, references/segmentation/train.py; huggingface/transformers, image_processing_segformer.py
``post_process_semantic_segmentation``; PaddlePaddle/PaddleSeg, paddleseg/core/infer.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.class_masks import class_mask_of
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import DETECTIONS_MAX, Detections, sigmoid

# Numbers that are looked at, of all classes together; of larger maps every second row and column, or third: a map of
# 21 classes and 520x520 costs 15 ms so, and the grid of a class mask is coarser than what is left.
_LOOKED_AT = 1 << 21


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the map is written. ``area_min``: class masks of a smaller share of the picture are not told."""

    values: Literal["logits", "shares", "index"] = "logits"
    channels_last: bool = False
    first: Annotated[int, msgspec.Meta(ge=0)] = 0
    background: Annotated[int, msgspec.Meta(ge=0)] | None = None
    area_min: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0005


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._params, self._facts = params, facts
        rank = len(facts.output_shapes[0]) if len(facts.output_shapes) == 1 else 0
        if params.values == "index":
            facts.require((1, None, None) if rank == 3 else (1, 1, None, None))
        elif params.channels_last:
            facts.require((1, None, None, facts.class_count))
        else:
            facts.require((1, facts.class_count, None, None))
        self._scale = facts.sides_whwh

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        class_map, sure = self._read(outputs[0])
        known = class_map >= 0
        cells = np.bincount(class_map[known], minlength=self._facts.class_count)
        sums = np.bincount(class_map[known], weights=sure[known], minlength=self._facts.class_count)
        scores = np.clip(sums / np.maximum(cells, 1), 0.0, 1.0)
        told = (cells > 0) & (cells >= self._params.area_min * class_map.size) & (scores >= cut.score_min)
        if self._params.background is not None:
            told[self._params.background : self._params.background + 1] = False
        if cut.classes is not None:
            told &= np.isin(np.arange(len(told)), list(cut.classes))
        class_ids = np.flatnonzero(told)
        class_ids = class_ids[np.argsort(-scores[class_ids], kind="stable")[:DETECTIONS_MAX]]
        if not len(class_ids):
            return Detections.none()
        boxes, class_masks = zip(*(class_mask_of(class_map == class_id) for class_id in class_ids), strict=True)
        return Detections(
            np.stack(boxes) * self._scale,
            scores[class_ids].astype(np.float32),
            class_ids.astype(np.int32),
            class_masks=np.stack(class_masks),
        )

    def _read(self, output: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """The class of each cell (h, w), -1 for no class, and how sure it is."""
        table = output[0]
        if self._params.values == "index":
            cells = _thinned(table.reshape(table.shape[-2:]), 1)
            numbers = np.nan_to_num(cells.astype(np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0).round()
            numbers -= self._params.first
            known = (numbers >= 0) & (numbers < self._facts.class_count)
            return np.where(known, numbers, -1).astype(np.intp), np.ones(cells.shape, np.float32)
        if self._params.channels_last:
            table = np.moveaxis(table, -1, 0)
        values = _thinned(table, len(table)).astype(np.float32, copy=False)
        logits = self._params.values == "logits"
        if len(values) == 1:
            sure = sigmoid(values[0]) if logits else values[0]
            return np.where(sure > 0.5, 0, -1), sure
        class_map = values.argmax(axis=0)
        best = values.max(axis=0)
        finite = np.isfinite(best)
        if logits:
            with np.errstate(over="ignore", invalid="ignore"):
                best = 1.0 / np.exp(values - best).sum(axis=0)
        return np.where(finite, class_map, -1), best


def _thinned(values: NDArray[Any], kinds: int) -> NDArray[Any]:
    """(..., h, w) with every step-th row and column left, so that all classes together are few enough numbers."""
    step = 1
    while kinds * (values.shape[-2] // step) * (values.shape[-1] // step) > _LOOKED_AT:
        step += 1
    return values[..., step // 2 :: step, step // 2 :: step] if step > 1 else values
