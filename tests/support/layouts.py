"""Layouts that look like a family and are read otherwise, each with the truth: how its own project would read it.

A small network of random weights whose stem suits its own range of pixels; what it writes is rearranged by the layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from support.models import Graph, _grid, anchors, image, tensor
from support.reference_decode import Candidate, corners

HW = (64, 96)
STRIDES = (8, 16, 32)
ROWS = 16


@dataclass(frozen=True)
class Layout:
    """``boxes``: cells, cxcywh, xyxy, yxyx, ltwh, cxcywh_share, xyxy_share, yxyx_share. ``columns``: of the table, in
    order: box, obj, one, classes, logits, softmax, points, angle, masks, pair, score, label, batch; joined by ``+``.
    ``turned``: [1, K, A]. ``hw``: of the input: in a square one x and y look alike. ``fed``: the user says how pixels
    are fed, which settles a doubt that others are refused by. ``names``: outputs apart, in the order of the columns.
    ``labels``: how many names the user passes.
    """

    columns: str
    boxes: str = "cxcywh"
    turned: bool = False
    names: tuple[str, ...] = ()
    labels: int = 3
    classes: int = 3
    dense: bool = True
    reach: float = 1.0
    rank: int = 3
    named: str = "output0"
    task: str = ""
    hw: tuple[int, int] = HW
    fed: bool = False

    @property
    def id(self) -> str:
        ways = (
            ("turned", self.turned), ("done", not self.dense), (self.task, self.task), ("fed", self.fed),
            ("square", self.hw != HW), (f"{self.classes}c", self.classes != 3),
        )  # fmt: skip
        way = [word for word, on in ways if on]
        facts = (f"{self.labels}n", f"r{self.reach:g}", f"k{self.rank}")
        return "-".join((self.columns, self.boxes, *way, *self.names[:1], *facts))


def build(layout: Layout) -> onnx.ModelProto:
    g = Graph(sum(layout.id.encode()), layout.reach)
    width = 4 + 1 + layout.classes + 15 + 1 + 8
    strides = STRIDES if layout.dense else (16,)
    seen = g.add("Sub", g.stem("images"), g.constant([0.45]))
    parts = []
    for stride in strides:
        pooled = g.add("AveragePool", seen, kernel_shape=[stride] * 2, strides=[stride] * 2, ceil_mode=1)
        drawn = g.add(
            "Conv", pooled, g.constant(g.rng.normal(0, 5, (width, 3, 1, 1))), g.constant(g.rng.normal(0, 0.4, width))
        )
        parts.append(g.add("Reshape", drawn, g.constant([1, width, -1], np.int64)))
    rows = g.add("Concat", *parts, axis=2)
    pieces = {name: _piece(g, layout, rows, strides, name) for name in layout.columns.split("+")}
    count = anchors(layout.hw, strides)
    if layout.names:
        return _apart(g, layout, pieces, count)
    table = g.add("Concat", *pieces.values(), axis=1)
    if not layout.turned:
        table = g.add("Transpose", table, perm=[0, 2, 1])
    columns = sum(_width(layout, name) for name in layout.columns.split("+"))
    shape = [1, columns, count] if layout.turned else [1, count, columns]
    if layout.rank == 2:
        shape = shape[1:]
    elif layout.rank == 4:
        shape = [1, *shape]
    g.add("Reshape", table, g.constant(shape, np.int64), name=layout.named)
    metadata = {"task": layout.task, "names": str({n: f"n{n}" for n in range(layout.labels)})} if layout.task else None
    return g.model([image(layout.hw)], [tensor(layout.named, shape)], metadata=metadata)


def _apart(g: Graph, layout: Layout, pieces: dict[str, str], count: int) -> onnx.ModelProto:
    outputs = []
    for (kind, piece), name in zip(pieces.items(), layout.names, strict=True):
        if kind in {"score", "label"}:
            flat = g.add("Reshape", piece, g.constant([1, count] if layout.rank == 3 else [count], np.int64))
            element = TensorProto.INT64 if kind == "label" else TensorProto.FLOAT
            g.add("Cast", flat, to=element, name=name)
            outputs.append(tensor(name, [1, count] if layout.rank == 3 else [count], element))
        else:
            turned = g.add("Transpose", piece, perm=[0, 2, 1])
            shape = [1, count, _width(layout, kind)][3 - layout.rank :]
            g.add("Reshape", turned, g.constant(shape, np.int64), name=name)
            outputs.append(tensor(name, shape))
    return g.model([image(layout.hw)], outputs)


def _width(layout: Layout, name: str) -> int:
    sizes = {"box": 4, "classes": layout.classes, "logits": layout.classes, "points": 15, "masks": 8, "pair": 2}
    sizes["softmax"] = layout.classes
    return sizes.get(name, 1)


def _piece(g: Graph, layout: Layout, rows: str, strides: Sequence[int], name: str) -> str:
    """(1, width, A) of one kind of column."""
    after = 5 + layout.classes
    per_class = g.add("Sigmoid", g.slice(rows, 5, after, 1))
    match name:
        case "box":
            return _boxes(g, layout, rows, strides)
        case "obj":
            return str(g.add("Sigmoid", g.slice(rows, 4, 5, 1)))
        case "one":
            return str(g.add("Add", g.add("Mul", g.slice(rows, 4, 5, 1), g.constant([0.0])), g.constant([1.0])))
        case "batch":
            return str(g.add("Mul", g.slice(rows, 4, 5, 1), g.constant([0.0])))
        case "classes":
            return str(per_class)
        case "logits":
            return g.slice(rows, 5, after, 1)
        case "points":
            return str(g.add("Mul", g.add("Sigmoid", g.slice(rows, after, after + 15, 1)), g.constant([64.0])))
        case "angle":
            return str(g.add("Mul", g.add("Tanh", g.slice(rows, after + 15, after + 16, 1)), g.constant([1.5])))
        case "masks":
            return g.slice(rows, after + 16, after + 24, 1)
        case "softmax":
            return str(g.add("Softmax", g.slice(rows, 5, after, 1), axis=1))
        case "pair":
            return str(g.add("Softmax", g.slice(rows, 5, 7, 1), axis=1))
        case "score":
            return str(g.add("ReduceMax", per_class, axes=[1], keepdims=1))
        case _:
            return str(g.add("Cast", g.add("ArgMax", per_class, axis=1), to=TensorProto.FLOAT))


def _boxes(g: Graph, layout: Layout, rows: str, strides: Sequence[int]) -> str:
    """(1, 4, A): about each cell, some 4 to 30 pixels large, written as the layout says."""
    grid, sizes = _grid(layout.hw, tuple(strides))
    moved = g.add("Sigmoid", g.slice(rows, 0, 2, 1))
    if layout.boxes == "cells":
        return str(g.add("Concat", moved, g.add("Tanh", g.slice(rows, 2, 4, 1)), axis=1))
    centre = g.add("Mul", g.add("Add", moved, g.constant(grid)), g.constant(sizes))
    size = g.add("Add", g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([26.0])), g.constant([4.0]))
    half = g.add("Mul", size, g.constant([0.5]))
    low, high = g.add("Sub", centre, half), g.add("Add", centre, half)
    form = layout.boxes.removesuffix("_share")
    if form == "ltwh":
        pair: tuple[Any, Any] = (low, size)
    else:
        pair = (centre, size) if form == "cxcywh" else (low, high)
    box = g.add("Concat", *pair, axis=1)
    if layout.boxes.endswith("_share"):
        box = g.add("Div", box, g.constant(np.array([layout.hw[1], layout.hw[0]] * 2).reshape(1, 4, 1)))
    if form == "yxyx":
        box = g.add("Gather", box, g.constant([1, 0, 3, 2], np.int64), axis=1)
    return str(box)


def truth(layout: Layout, outputs: dict[str, np.ndarray], score_min: float) -> list[Candidate]:
    """What the layout's own project reads out of the outputs, row by row."""
    kinds = layout.columns.split("+")
    columns: dict[str, np.ndarray] = {}
    if layout.names:
        for kind, name in zip(kinds, layout.names, strict=True):
            columns[kind] = outputs[name].reshape(-1, _width(layout, kind)).astype(np.float64)
    else:
        table = outputs[layout.named].astype(np.float64)
        table = table.reshape(table.shape[-2:])
        table, at = (table.T if layout.turned else table), 0
        for kind in kinds:
            columns[kind] = table[:, at : at + _width(layout, kind)]
            at += _width(layout, kind)
    cells = _grid(layout.hw, STRIDES if layout.dense else (16,))
    found = []
    for row in range(len(columns["box"])):
        score, label = _score(layout, columns, row)
        if score >= score_min:
            found.append((label, score, _corners(layout, columns["box"][row], cells, row)))
    return found


def _score(layout: Layout, columns: dict[str, np.ndarray], row: int) -> tuple[float, int]:
    if "label" in columns:
        return float(columns["score"][row, 0]), round(float(columns["label"][row, 0]))
    if "pair" in columns:
        return float(columns["pair"][row, 1]), 0
    if "softmax" in columns:
        label = int(columns["softmax"][row].argmax())
        return (float(columns["softmax"][row, label]) if label else 0.0), label
    per_class = columns["classes"][row] if "classes" in columns else 1 / (1 + np.exp(-columns["logits"][row]))
    best = int(per_class.argmax())
    objectness = float(columns["obj"][row, 0]) if "obj" in columns else 1.0
    return float(per_class[best]) * objectness, best


def _corners(layout: Layout, box: np.ndarray, cells: Any, row: int) -> tuple[float, float, float, float]:
    a, b, c, d = (float(value) for value in box)
    form = layout.boxes.removesuffix("_share")
    if form == "cells":
        grid, sizes = cells[0][0], cells[1][0, 0]
        stride = float(sizes[row])
        return corners((a + grid[0, row]) * stride, (b + grid[1, row]) * stride, np.exp(c) * stride, np.exp(d) * stride)
    if form == "yxyx":
        a, b, c, d = b, a, d, c
    if layout.boxes.endswith("_share"):
        height, width = layout.hw
        a, b, c, d = a * width, b * height, c * width, d * height
    if form == "ltwh":
        return (a, b, a + c, b + d)
    return corners(a, b, c, d) if form == "cxcywh" else (a, b, c, d)
