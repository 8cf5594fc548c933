"""Tiny graphs whose outputs are maps, shaped like other exporters': classes of every pixel, and what is abnormal."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from support.models import Graph, image, tensor

HW = (64, 64)


def class_map(
    *,
    classes: int = 4,
    stride: int = 4,
    end: str = "",
    name: str = "output",
    image_name: str = "images",
    reach: float = 1.0,
    aux: bool = False,
    hw: tuple[int, int] = HW,
    metadata: dict[str, str] | None = None,
) -> onnx.ModelProto:
    """Scores of ``classes`` at every ``stride``-th place; ``end``: an operator over the classes, or ``index``."""
    g = Graph(33, reach)
    rows, columns = hw[0] // stride, hw[1] // stride
    flat = g.features(image_name, (stride,), classes, scale=3.0)
    last = "" if end or aux else name
    table = g.add("Reshape", flat, g.constant([1, classes, rows, columns], np.int64), name=last or None)
    outputs = [tensor(name, [1, classes, rows, columns])]
    if end == "index":
        g.add("ArgMax", table, axis=1, keepdims=0, name=name)
        outputs = [tensor(name, [1, rows, columns], TensorProto.INT64)]
    elif end == "last":
        g.add("Softmax", g.add("Transpose", table, perm=[0, 2, 3, 1]), axis=3, name=name)
        outputs = [tensor(name, [1, rows, columns, classes])]
    elif end == "Softmax":
        g.add("Softmax", table, axis=1, name=name)
    elif end:
        g.add(end, table, name=name)
    if aux:
        g.add("Mul", table, g.constant([1.0]), name=name)
        g.add("Mul", table, g.constant([-0.5]), name="aux")
        outputs.append(tensor("aux", [1, classes, rows, columns]))
    return g.model([image(hw, image_name)], outputs, metadata=metadata)


def anomaly(
    *parts: str, threshold: float = 0.5, raw: bool = False, hw: tuple[int, int] = HW, cut: int = 0, first: str = ""
) -> onnx.ModelProto:
    """Anomalib's outputs ``parts`` in this order: a map, its greatest value as score, both compared with ``threshold``.

    ``raw``: scores as distances, not brought to 0..1. ``cut``: rows and columns that the map leaves out on each side.
    """
    g = Graph(34)
    rows, columns = hw[0] // 8, hw[1] // 8
    flat = g.features("input", (8,), 1, scale=2.0)
    small = g.add("Reshape", flat, g.constant([1, 1, rows, columns], np.int64))
    scales = g.constant([1.0, 1.0, 8.0, 8.0])
    large = g.add("Resize", small, "", scales, mode="nearest")
    if cut:
        large = g.slice(g.slice(large, cut, hw[0] - cut, 2), cut, hw[1] - cut, 3)
    shown = g.add("Mul", g.add("Abs", large), g.constant([10.0])) if raw else g.add("Sigmoid", large)
    level = g.constant([threshold])
    score = g.add("ReduceMax", shown, axes=[1, 2, 3], keepdims=0)
    sides = [1, 1, hw[0] - 2 * cut, hw[1] - 2 * cut]
    made = {
        "anomaly_map": (shown, "Identity", sides, TensorProto.FLOAT),
        "pred_mask": (shown, "Greater", sides, TensorProto.BOOL),
        "pred_score": (score, "Identity", [1], TensorProto.FLOAT),
        "pred_label": (score, "Greater", [1], TensorProto.BOOL),
    }
    outputs = []
    for part in parts:
        value, operator, shape, kind = made[part]
        name = first if first and part == "anomaly_map" else part
        g.add(operator, value, *([level] if operator == "Greater" else []), name=name)
        outputs.append(tensor(name, shape, kind))
    return g.model([image(hw, "input")], outputs)
