"""Tiny graphs with outputs of their own for each stride, as SCRFD, NanoDet and PicoDet have them."""

from __future__ import annotations

import numpy as np
import onnx

from support.models import CLASSES, Graph, anchors, image, tensor
from support.strangers import HW


def scrfd(
    *,
    landmarks: bool = True,
    hw: tuple[int, int] = HW,
    strides: tuple[int, ...] = (8, 16, 32),
    scale: float = 1.0,
    unsure: float = 0.0,
) -> onnx.ModelProto:
    """Numbered outputs: scores, distances, perhaps landmarks; two anchors per cell of three strides, one of five.

    ``unsure``: anchors of a lower score have distances below zero.
    """
    g = Graph(34)
    outputs: dict[int, list[onnx.ValueInfoProto]] = {1: [], 4: [], 10: []}
    per_cell = 2 if len(strides) == 3 else 1
    for stride in strides:
        count = anchors(hw, (stride,))
        level, score = g.features("input.1", (stride,), 30, scale=scale), ""
        for width, start in ((1, 0), (4, 2), (10, 10)) if landmarks else ((1, 0), (4, 2)):
            part = g.add("Sigmoid", g.slice(level, start, start + per_cell * width, 1))
            if width == 4:
                part = g.add("Mul", part, g.constant([2.0]))
            split = g.add("Reshape", part, g.constant([per_cell, width, -1], np.int64))
            score = split if width == 1 else score
            if width == 4 and unsure:
                split = g.add("Mul", split, g.add("Sign", g.add("Sub", score, g.constant([unsure]))))
            turned = g.add("Transpose", split, perm=[2, 0, 1])
            name = f"{400 + stride}_{width}"
            g.add("Reshape", turned, g.constant([-1, width], np.int64), name=name)
            outputs[width].append(tensor(name, [per_cell * count, width]))
    return g.model([image(hw, "input.1")], [*outputs[1], *outputs[4], *outputs[10]])


def levels_of_bins(
    *, named: bool = True, strides: tuple[int, ...] = (8, 16, 32), shares: bool = True, batch: bool = True
) -> onnx.ModelProto:
    """Scores and sides of each stride in outputs of their own: NanoDet's names, or PicoDet's numbers.

    ``batch`` false: without the batch's axis, as NanoDet's first exports, and sides before scores.
    """
    g = Graph(36)
    scores, sides = [], []
    for at, stride in enumerate(strides):
        level = g.features("data", (stride,), CLASSES + 32, scale=2.0)
        per_class = g.slice(level, 0, CLASSES, 1)
        per_class = g.add("Sigmoid", per_class) if shares else per_class
        names = (f"cls_pred_stride_{stride}", f"dis_pred_stride_{stride}") if named else (f"c{at}", f"d{at}")
        bins, count = g.slice(level, CLASSES, CLASSES + 32, 1), anchors(HW, (stride,))
        for part, name, width, ports in ((per_class, names[0], CLASSES, scores), (bins, names[1], 32, sides)):
            rows = g.add("Transpose", part, perm=[0, 2, 1], **({"name": name} if batch else {}))
            if not batch:
                g.add("Reshape", rows, g.constant([count, width], np.int64), name=name)
            ports.append(tensor(name, [1, count, width] if batch else [count, width]))
    return g.model([image(HW, "data")], [*scores, *sides] if batch else [*sides, *scores])
