"""UltraFace: scores [1, A, 2] (background, face) and boxes [1, A, 4].

Boxes are x1, y1, x2, y2 in 0..1 or, with ``priors``, offsets from the network's priors: centre = prior + 0.1 x offset x
size, size = prior x exp(0.2 x offset).

Source: Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB, run_video_face_detect_onnx.py ``predict``,
vision/ssd/config/fd_config.py ``define_img_size`` and vision/utils/box_utils.py ``convert_locations_to_boxes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, pick_columns, select, softmax

_SIDES = {8: (10.0, 16.0, 24.0), 16: (32.0, 48.0), 32: (64.0, 96.0), 64: (128.0, 192.0, 256.0)}
_CENTRE, _SIZE = 0.1, 0.2


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``priors``: boxes are offsets from the priors. ``softmax``: scores are without it. Column 0 is the background."""

    priors: bool = False
    softmax: bool = False


def prior_count(input_hw: tuple[int, int]) -> int:
    """Rows that the network has for this input."""
    return sum(
        len(sides) * _cells(input_hw, stride)[0] * _cells(input_hw, stride)[1] for stride, sides in _SIDES.items()
    )


def priors_xywh(input_hw: tuple[int, int]) -> NDArray[np.float32]:
    """(A, 4) centre and size in 0..1, clipped to it; rows before columns before sizes.

    Cells share the picture evenly, also where their stride does not divide it.
    """
    height, width = input_hw
    levels = []
    for stride, sides in _SIDES.items():
        rows, columns = _cells(input_hw, stride)
        y, x, side = np.meshgrid(np.arange(rows), np.arange(columns), np.array(sides), indexing="ij")
        places = ((x + 0.5) / columns, (y + 0.5) / rows, side / width, side / height)
        levels.append(np.stack([place.ravel() for place in places], axis=1))
    return np.asarray(np.clip(np.concatenate(levels), 0.0, 1.0), np.float32)


class Family(Decoder):
    """See the module. Outputs in the order scores, boxes."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._softmax = facts, params.softmax
        self._priors = priors_xywh(facts.input_hw) if params.priors else None
        rows = len(self._priors) if self._priors is not None else None
        facts.require((1, rows, 1 + facts.class_count), (1, rows, 4))
        self._size_xyxy = facts.sides_whwh

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        table = softmax(outputs[0][0]) if self._softmax else outputs[0][0]
        index, scores, class_ids = pick_columns(table[:, 1:].T, cut.score_min)
        if index.size == 0:
            return Detections.none()
        boxes = outputs[1][0, index].astype(np.float32)
        if self._priors is not None:
            priors = self._priors[index]
            with np.errstate(over="ignore"):  # an infinite side is dropped by select()
                size = np.exp(boxes[:, 2:] * _SIZE) * priors[:, 2:]
            boxes = xywh_to_xyxy(np.concatenate((boxes[:, :2] * _CENTRE * priors[:, 2:] + priors[:, :2], size), axis=1))
        return select(boxes * self._size_xyxy, scores, class_ids, iou_max=cut.iou_max, classes=cut.classes)


def _cells(input_hw: tuple[int, int], stride: int) -> tuple[int, int]:
    return -(-input_hw[0] // stride), -(-input_hw[1] // stride)
