"""TFLite_Detection_PostProcess, the custom operator at the end of SSDs: its boxes and scores before suppression.

What it does after that (choose, suppress, sort, cut off), the device's decoder does for every detector. Its classes are
numbered without the background, which is a column of its own in what it reads.

Source: tensorflow/lite/kernels/detection_postprocess.cc.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vigie_devkit.models.tflite.flatbuffer import BROKEN, Operator
from vigie_devkit.models.tflite.graph import Graph

NAME = "TFLite_Detection_PostProcess"
BOXES, SCORES = "boxes", "scores"
_CLASSES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Suppression:
    """The operator's own words: ``scales`` of y, x, height, width; ``outputs``: boxes, classes, scores, count."""

    classes: int
    scales: tuple[float, float, float, float]
    iou_max: float
    score_min: float
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_suppression(graph: Graph, operator: Operator) -> Suppression:
    """Raises: ModelFileError: options that are not its own."""
    from flatbuffers import flexbuffers  # type: ignore[import-untyped]  # it comes with LiteRT

    try:
        told = flexbuffers.GetRoot(bytearray(operator.custom or b"")).AsMap
        numbers = {
            name: float(told[name].AsFloat)
            for name in ("y_scale", "x_scale", "h_scale", "w_scale", "nms_iou_threshold", "nms_score_threshold")
        }
        classes = int(told["num_classes"].AsInt)
    except BROKEN as error:
        raise graph.refuse(f"operator {NAME} has options that cannot be read; the file is damaged") from error
    scales = tuple(numbers[name] for name in ("y_scale", "x_scale", "h_scale", "w_scale"))
    if not all(map(math.isfinite, numbers.values())) or min(scales) <= 0 or not 0 < classes <= _CLASSES_MAX:
        raise graph.refuse(f"operator {NAME} has scales {scales} and {classes} classes; the file is damaged")
    if len(operator.inputs) != 3 or len(operator.outputs) < 3 or min(operator.inputs) < 0:
        raise graph.refuse(f"operator {NAME} has {len(operator.inputs)} inputs; the file is damaged")
    return Suppression(
        classes,
        (scales[0], scales[1], scales[2], scales[3]),
        numbers["nms_iou_threshold"],
        numbers["nms_score_threshold"],
        operator.inputs,
        operator.outputs,
    )


def place_boxes(graph: Graph, operator: Operator, found: Suppression) -> tuple[str, str, int]:
    """Names of corners x1, y1, x2, y2 in 0..1 (1, A, 4) and of scores (1, A, classes), and A."""
    encoded, scored, placed = operator.inputs
    anchors = graph.needed(placed, operator, "anchors").astype(np.float32).reshape(-1, 4)
    count = len(anchors)
    columns = graph.shape(scored)[-1] if graph.shape(scored) else 0
    if math.prod(graph.shape(encoded)) != 4 * count or math.prod(graph.shape(scored)) != columns * count:
        raise graph.refuse(f"operator {NAME} has {count} anchors and other numbers of boxes; the file is damaged")
    if columns - found.classes not in {0, 1}:
        raise graph.refuse(f"operator {NAME} has {columns} columns for {found.classes} classes; the file is damaged")
    rows = graph.emit("Reshape", [graph.plain(encoded), graph.hold(np.array([1, count, 4], np.int64))])
    scales = np.array(found.scales, np.float32)
    shifted, grown = (_columns(graph, rows, one) for one in ([0, 1], [2, 3]))
    sides = graph.hold(anchors[None, :, 2:])
    centre = graph.emit("Mul", [shifted, graph.hold(anchors[None, :, 2:] / scales[:2])])
    centre = graph.emit("Add", [centre, graph.hold(anchors[None, :, :2])])
    half = graph.emit("Exp", [graph.emit("Mul", [grown, graph.hold(1.0 / scales[2:])])])
    half = graph.emit("Mul", [graph.emit("Mul", [half, sides]), graph.hold(np.float32(0.5))])
    corners = [_columns(graph, graph.emit(kind, [centre, half]), [1, 0]) for kind in ("Sub", "Add")]
    boxes = graph.emit("Concat", corners, axis=2)
    scores = graph.emit("Reshape", [graph.plain(scored), graph.hold(np.array([1, count, columns], np.int64))])
    if columns > found.classes:
        told = [graph.hold(np.array([one], np.int64)) for one in (1, columns, 2)]
        scores = graph.emit("Slice", [scores, *told])
    return boxes, scores, count


def _columns(graph: Graph, name: str, which: list[int]) -> Any:
    return graph.emit("Gather", [name, graph.hold(np.array(which, np.int64))], axis=2)
