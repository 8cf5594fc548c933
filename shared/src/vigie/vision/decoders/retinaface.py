"""RetinaFace: boxes [1, A, 4] and landmarks [1, A, 10] as offsets from priors, scores [1, A, 2] (background, face).

Outputs in the order scores, boxes, landmarks; landmarks may be missing. Two priors per cell at strides 8, 16, 32, not
clipped: centre = prior + 0.1 x offset x size, size = prior x exp(0.2 x offset); a landmark as the centre. Landmarks are
key points (eyes, nose, corners of the mouth), each as sure as its face.

Source: biubug6/Pytorch_Retinaface, layers/functions/prior_box.py, utils/box_utils.py ``decode``, ``decode_landm``,
data/config.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, pick_columns, select, softmax, strided_grid, with_scores

# Sides in pixels of the priors of each stride.
_SIDES = {8: (16.0, 32.0), 16: (64.0, 128.0), 32: (256.0, 512.0)}
_CENTRE, _SIZE = 0.1, 0.2
_POINTS = 5


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``softmax``: scores are without it."""

    softmax: bool = False


def priors_xywh(input_hw: tuple[int, int]) -> NDArray[np.float32]:
    """(A, 4) centre and size in pixels; rows before columns before sizes."""
    levels = []
    for stride, sides in _SIDES.items():
        cells, _ = strided_grid(input_hw, (stride,))
        centres = np.repeat((cells + 0.5) * stride, len(sides), axis=0)
        size = np.tile(np.array(sides, np.float32), len(cells))[:, None]
        levels.append(np.concatenate((centres, size, size), axis=1))
    return np.concatenate(levels).astype(np.float32)


class Family(Decoder):
    """See the module."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._softmax = facts, params.softmax
        self._priors = priors_xywh(facts.input_hw)
        rows = len(self._priors)
        wanted = [(1, rows, 1 + facts.class_count), (1, rows, 4), (1, rows, 2 * _POINTS)]
        facts.require(*wanted[: max(2, len(facts.output_shapes))])

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        table = softmax(outputs[0][0]) if self._softmax else outputs[0][0].astype(np.float32, copy=False)
        index, scores, class_ids = pick_columns(table[:, 1:].T, cut.score_min)
        if index.size == 0:
            return Detections.none()
        priors = self._priors[index]
        offsets = outputs[1][0, index].astype(np.float32)
        with np.errstate(over="ignore"):  # an infinite side is dropped by select()
            size = np.exp(offsets[:, 2:] * _SIZE) * priors[:, 2:]
        boxes = xywh_to_xyxy(np.concatenate((priors[:, :2] + offsets[:, :2] * _CENTRE * priors[:, 2:], size), axis=1))
        points = None
        if len(outputs) > 2:
            moved = outputs[2][0, index].reshape(-1, _POINTS, 2).astype(np.float32) * _CENTRE
            points = with_scores(priors[:, None, :2] + moved * priors[:, None, 2:], scores)
        return select(boxes, scores, class_ids, iou_max=cut.iou_max, classes=cut.classes, keypoints=points)
