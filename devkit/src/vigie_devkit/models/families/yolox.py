"""YOLOX: [1, A, 5+C] with A the grid cells at strides 8, 16, 32; top-left letterbox, pad 114.

BGR 0..255 since 0.1.1: the weights tell. Before that (``--legacy``) RGB with ImageNet's mean and deviation, which
weights cannot tell from 0..1. Raw and decoded exports have the same shape; the values of a run tell them apart: each
box lies about its own cell.

Source: Megvii-BaseDetection/YOLOX, demo/ONNXRuntime/onnx_inference.py and yolox/data/data_augment.py ``preproc``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie_devkit.models.evidence.spelling import feed_of
from vigie_devkit.models.evidence.values import are_shares, grid_format
from vigie_devkit.models.recognition import Doubt, Recognition
from vigie_devkit.models.signature import Signature

FEED = feed_of("bgr/0..255", "top_left")
# Before 0.1.1, and of other projects with this head: weights cannot tell the two apart.
OTHERS = (feed_of("rgb/imagenet", "top_left"), feed_of("rgb/0..1", "top_left"))
STRIDES = (8, 16, 32)
COCO = 80


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    if len(signature.outputs) != 1 or signature.nhwc:
        return
    output = signature.outputs[0]
    if len(output.shape) != 3 or output.shape[1] != signature.anchors() or output.shape[2] < 6:
        return
    classes = output.shape[2] - 5
    if signature.label_count not in {None, classes}:
        return
    rows = signature.probe.get(output.name)
    if rows is not None and np.all(rows[0, :, 4] == 1.0):
        return  # YOLOv6
    written = "cells" if rows is None else grid_format(rows[0, :, :4], signature.input_hw, STRIDES)
    decoded = written == "cxcywh"
    if doubt := _unlike(signature, rows, written, classes):
        yield Doubt("yolox", f"[1,{output.shape[1]},{output.shape[2]}] looks like YOLOX{doubt}")
        return
    yield Recognition(
        family="yolox",
        decoder="yolox",
        params={"decoded": True} if decoded else {},
        feed=FEED,
        other_feeds=OTHERS,
        outputs=(output.name,),
        class_count=classes,
        why=f"one output [1,{output.shape[1]},5+{classes}] over strides 8, 16, 32, "
        f"{'decoded' if decoded else 'raw'} centres",
    )


def _unlike(signature: Signature, rows: NDArray[Any] | None, written: str | None, classes: int) -> str:
    """What speaks against YOLOX, and what to pass; empty where nothing does."""
    if rows is not None and not are_shares(rows[0, :, 4:]):
        return (
            ", but its columns after the box hold values outside 0..1: scores without their sigmoid, landmarks or key "
            "points; pass --card"
        )
    if written not in {"cells", "cxcywh"}:
        return (
            ", but its boxes are neither raw cells nor centres in pixels "
            f"({written or 'they do not lie about their cells'}); pass --card"
        )
    # The columns of YOLOv8 the other way round are the same but for the objectness; today's YOLOX takes bytes.
    if written == "cxcywh" and signature.labels is None and classes != COCO and signature.stem.wants == "units":
        return (
            f" with {classes} classes or like YOLOv8 with {classes + 1}, rows and columns exchanged; pass --labels "
            "with a name for each class"
        )
    return ""
