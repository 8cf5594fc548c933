"""NanoDet, NanoDet-Plus, PicoDet: class scores sigmoided, sides as a distribution over bins.

One output [1, A, C + 4 * bins], or for each stride scores [1, A_s, C], then for each stride sides [1, A_s, 4 * bins],
all of them with or all without the batch's axis.

A side's distance from the anchor is the mean of its softmaxed bins (0..bins-1) in strides. Anchors lie on the cell's
corner (NanoDet-Plus, ``offset`` 0) or its centre (NanoDet, PicoDet, ``offset`` 0.5).

Source: RangiLyu/nanodet, nanodet/model/head/nanodet_plus_head.py ``get_bboxes`` and ``get_single_level_center_priors``;
gfl_head.py ``get_single_level_center_point``; Li et al., Generalized Focal Loss, 2020;
PaddlePaddle/PaddleDetection, ppdet/modeling/heads/pico_head.py and deploy/third_engine/demo_onnxruntime.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, pick_columns, select, strided_grid


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``bins``: per side (reg_max + 1). ``offset``: of an anchor in its cell, in cells."""

    strides: tuple[int, ...] = (8, 16, 32, 64)
    bins: int = 8
    offset: float = 0.0


class Family(Decoder):
    """See the module; holds its (A, 2) anchors in pixels."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts = facts
        self._classes, self._bins = facts.class_count, params.bins
        cells, self._strides = strided_grid(facts.input_hw, params.strides)
        self._anchors = (cells + np.float32(params.offset)) * self._strides
        self._steps = np.arange(params.bins, dtype=np.float32)
        self._levels = len(params.strides) if len(facts.output_shapes) > 1 else 0
        if self._levels:
            counts = [len(strided_grid(facts.input_hw, (stride,))[0]) for stride in params.strides]
            widths = (facts.class_count, 4 * params.bins)
            batch = (1,) if len(facts.output_shapes[0]) == 3 else ()
            facts.require(*((*batch, count, width) for width in widths for count in counts))
        else:
            facts.require((1, len(cells), facts.class_count + 4 * params.bins))

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        if self._levels:
            per_class = np.concatenate([output.reshape(-1, self._classes) for output in outputs[: self._levels]])
            table = np.concatenate([output.reshape(-1, 4 * self._bins) for output in outputs[self._levels :]])
        else:
            per_class, table = outputs[0][0][:, : self._classes], outputs[0][0][:, self._classes :]
        index, scores, class_ids = pick_columns(per_class.T, cut.score_min)
        if index.size == 0:
            return Detections.none()
        bins = table[index].astype(np.float32).reshape(-1, 4, self._bins)
        bins -= bins.max(axis=2, keepdims=True)
        np.exp(bins, out=bins)
        sides = (bins @ self._steps) / bins.sum(axis=2) * self._strides[index]
        anchors = self._anchors[index]
        boxes = np.concatenate((anchors - sides[:, :2], anchors + sides[:, 2:]), axis=1)
        return select(boxes, scores, class_ids, iou_max=cut.iou_max, classes=cut.classes)
