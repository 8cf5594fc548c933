"""Finished boxes of any exporter: chosen and suppressed in the graph, written in columns or outputs of its own order.

One output that is a table (``[1, N, K]`` or ``[N, K]``), a table of boxes and scores with labels beside it, or boxes,
scores and labels apart; batch axes of 1 may be there or not. Examples: Custom Vision (``xyxy`` shares, apart),
YOLOv7 with suppression (a table of batch, box, class, score), Ultralytics' RT-DETR (a table of ``cxcywh`` shares),
Paddle (a table of class, score, box), TensorRT's EfficientNMS (apart), mmdeploy (boxes with scores, labels apart).

Source: see the families in ``vigie_devkit.models.families`` that name this decoder; each cites its exporter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy
from vigie.vision.decoding import Cut, Decoder, DecoderFacts
from vigie.vision.detections import Detections, select, sound_classes


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``boxes``: corners or centre and size. ``units``: of the tensor's pixels or shares of its sides.

    ``box_at``, ``score_at``, ``label_at``: columns of the table (the first output); ``score_at`` or ``label_at`` of -1:
    the next output holds it. ``first_label``: the number that the graph gives to the first label. ``suppress``:
    rows are not chosen yet, so overlapping boxes are dropped here.
    """

    boxes: Literal["xyxy", "yxyx", "cxcywh"] = "xyxy"
    units: Literal["pixels", "share"] = "pixels"
    box_at: int = 0
    score_at: int = -1
    label_at: int = -1
    first_label: int = 0
    suppress: bool = False


class Family(Decoder):
    """See the module. Outputs in the order table or boxes, scores, labels; those that are columns are left out."""

    def __init__(self, params: Params, facts: DecoderFacts) -> None:
        self._facts, self._params = facts, params
        beside = [params.score_at, params.label_at].count(-1)
        tables, lists = facts.output_shapes[:1], facts.output_shapes[1:]
        fits = all(len(shape) == 2 or (len(shape) == 3 and shape[0] == 1) for shape in tables) and all(
            len(shape) == 1 or (len(shape) == 2 and 1 in shape) for shape in lists
        )
        if not fits or len(tables) != 1 or len(lists) != beside:
            raise ValueError(
                f"finished boxes need a table of boxes and {beside} further lists, "
                f"the card has {list(facts.output_shapes)}"
            )
        used = max(params.box_at + 3, params.score_at, params.label_at)
        columns = tables[0][-1]
        if columns <= used:
            raise ValueError(f"the table has {columns} columns, column {used} is asked for")
        self._scale = facts.sides_whwh if params.units == "share" else np.ones(4, np.float32)

    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        params = self._params
        table = outputs[0].reshape(-1, outputs[0].shape[-1])
        beside = iter(outputs[1:])
        scores = (table[:, params.score_at] if params.score_at >= 0 else next(beside).reshape(-1)).astype(np.float32)
        labels = table[:, params.label_at] if params.label_at >= 0 else next(beside).reshape(-1)
        # Rows that the graph pads with have score 0 (or below); score_min 0 must not bring them back.
        strong = np.flatnonzero((scores >= cut.score_min) & (scores > 0))
        class_ids, known = sound_classes(labels[strong], self._facts.class_count, params.first_label)
        strong = strong[known]
        boxes = table[strong, params.box_at : params.box_at + 4].astype(np.float32)
        if params.boxes == "yxyx":
            boxes = boxes[:, [1, 0, 3, 2]]
        boxes = (xywh_to_xyxy(boxes) if params.boxes == "cxcywh" else boxes) * self._scale
        overlap = cut.iou_max if params.suppress else None
        return select(boxes, scores[strong], class_ids[known], iou_max=overlap, classes=cut.classes)
