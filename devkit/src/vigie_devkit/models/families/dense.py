"""Placed boxes and scores apart, not chosen yet: [1, A, 4] and [1, A, C] or [1, C, A]; YOLO-NAS, PP-YOLOE without NMS.

The order of the outputs varies; which is which, and how boxes are written, the values tell. How pixels are fed is open.

Source: see ``vigie.vision.decoders.dense``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie_devkit.models.evidence.spelling import feed_of
from vigie_devkit.models.evidence.values import are_shares, grid_format
from vigie_devkit.models.recognition import Doubt, Recognition
from vigie_devkit.models.signature import Port, Signature, read_literal

# The metadata that import writes; see ``tflite.opening``.
SUPPRESSED = "tflite.suppressed"
STRIDES = ((8, 16, 32), (8, 16, 32, 64), (32, 16, 8))
FEEDS = tuple(feed_of(text, "stretch") for text in ("rgb/0..1", "rgb/imagenet", "bgr/0..1", "rgb/0..255", "bgr/0..255"))


# TensorFlow's object detection trains on -1..1; what a quantized input holds says when it is otherwise.
_SSD_FEEDS = tuple(feed_of(text, "stretch") for text in ("rgb/-1..1", "rgb/0..1", "rgb/0..255"))


def by_metadata(signature: Signature) -> Iterator[Recognition | Doubt]:
    """An SSD in a .tflite file, whose suppression import has cut: what was cut says what is left."""
    told = read_literal(signature.metadata.get(SUPPRESSED, ""))
    if not isinstance(told, dict) or not isinstance(told.get("classes"), int):
        return
    iou_max = told.get("iou_max")
    yield Recognition(
        family="dense",
        decoder="dense",
        params={"boxes": "xyxy", "units": "share", "turned": False},
        feed=_SSD_FEEDS[0],
        other_feeds=_SSD_FEEDS[1:],
        outputs=("boxes", "scores"),
        class_count=told["classes"],
        iou_max=iou_max if isinstance(iou_max, float) and 0 < iou_max <= 1 else 0.45,
        vouched=True,
        why="boxes and scores that TFLite_Detection_PostProcess suppresses",
    )


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    if len(signature.outputs) != 2 or signature.nhwc or signature.label_count is None:
        return
    first, second = signature.outputs
    for boxes, scores in ((first, second), (second, first)):
        yield from _reading(signature, boxes, scores, signature.label_count)


def _reading(signature: Signature, boxes: Port, scores: Port, classes: int) -> Iterator[Recognition | Doubt]:
    rows = boxes.shape[1] if len(boxes.shape) == 3 and boxes.shape[2] == 4 else -1
    strides = next((one for one in STRIDES if rows == signature.anchors(one)), None)
    fits = {(1, rows, classes): False, (1, classes, rows): True}
    places, values = signature.probe.get(boxes.name), signature.probe.get(scores.name)
    if strides is None or scores.shape not in fits or places is None or values is None:
        return
    what = f"{list(boxes.shape)} and {list(scores.shape)} look like boxes and scores"
    orders = [order for order in STRIDES if set(order) == set(strides)]
    written = next((form for order in orders if (form := grid_format(places[0], signature.input_hw, order))), None)
    form, _, share = (written or "").partition("_")
    if not are_shares(values) or form not in {"xyxy", "cxcywh"}:
        yield Doubt("dense", f"{what}, but {written or 'they do not lie about their cells'}; pass --card")
        return
    if classes > 1 and np.allclose(values.sum(axis=1 if fits[scores.shape] else 2), 1.0, atol=1e-3):
        yield Doubt(
            "dense",
            f"{what}, but the scores of each box add up to 1: one of the {classes} columns says that nothing is there, "
            "which no decoder reads; export the model with its suppression, or pass --card",
        )
        return
    yield Recognition(
        family="dense",
        decoder="dense",
        params={"boxes": form, "units": share or "pixels", "turned": fits[scores.shape]},
        feed=FEEDS[0],
        other_feeds=FEEDS[1:],
        outputs=(boxes.name, scores.name),
        class_count=classes,
        why=f"{what}, {form} in {share or 'pixels'}",
    )
