"""YuNet: class score, objectness, box and perhaps landmarks of each cell, an output of each per stride.

Outputs in this order: cls of every stride [1, A_s, 1], obj [1, A_s, 1], bbox [1, A_s, 4], and, where they are read, kps
[1, A_s, 10]. The score is the geometric mean sqrt(cls * obj), both clipped to 0..1; the centre is (cell + p) * stride,
the size exp(p) * stride. A landmark is (cell + p) * stride too: eyes, nose, corners of the mouth, key points that are
each as sure as their face.

Source: opencv/opencv, modules/objdetect/src/face_detect.cpp ``FaceDetectorYNImpl::postProcess``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, select, strided_grid, with_scores

_POINTS = 5


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``strides``: of the levels, in the order of the outputs."""

    strides: tuple[int, ...] = (8, 16, 32)


class Family(Decoder):
    """See the module; holds its (A, 2) grid and where each level begins in it."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts = facts
        self._levels = len(params.strides)
        self._cells, self._strides = strided_grid(facts.input_hw, params.strides)
        counts = [len(strided_grid(facts.input_hw, (stride,))[0]) for stride in params.strides]
        self._points = len(facts.output_shapes) == 4 * self._levels
        widths = (1, 1, 4, 2 * _POINTS) if self._points else (1, 1, 4)
        facts.require(*((1, count, width) for width in widths for count in counts))

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        face, objectness, boxes, *landmarks = (
            np.concatenate([output[0] for output in outputs[at : at + self._levels]])
            for at in range(0, len(outputs), self._levels)
        )
        product = np.clip(face[:, 0], 0.0, 1.0) * np.clip(objectness[:, 0], 0.0, 1.0)
        scores = np.sqrt(product.astype(np.float32, copy=False))
        index = np.flatnonzero(scores >= cut.score_min)
        if index.size == 0:
            return Detections.none()
        picked = boxes[index].astype(np.float32)
        picked[:, :2] += self._cells[index]
        with np.errstate(over="ignore"):  # an infinite side is dropped by select()
            np.exp(picked[:, 2:], out=picked[:, 2:])
        picked *= self._strides[index]
        points = None
        if landmarks:
            moved = landmarks[0][index].astype(np.float32).reshape(-1, _POINTS, 2)
            places = (moved + self._cells[index][:, None]) * self._strides[index][:, None]
            points = with_scores(places, scores[index])
        class_ids = np.zeros(len(index), np.int32)
        return select(
            xywh_to_xyxy(picked), scores[index], class_ids, iou_max=cut.iou_max, classes=cut.classes, keypoints=points
        )
