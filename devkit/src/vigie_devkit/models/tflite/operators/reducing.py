"""Axes that become one number: means, sums, the largest, its place; and vectors made of length 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vigie_devkit.models.tflite.flatbuffer import Operator
from vigie_devkit.models.tflite.graph import PLANES_AXIS, Graph, element_of

_KINDS = {
    "MEAN": "ReduceMean",
    "SUM": "ReduceSum",
    "REDUCE_MAX": "ReduceMax",
    "REDUCE_MIN": "ReduceMin",
    "REDUCE_PROD": "ReduceProd",
}


def real_axes(graph: Graph, operator: Operator, axes: Sequence[int], rank: int) -> list[int]:
    """Axes from 0. Raises: ModelFileError: one that a tensor of this rank does not have."""
    found = [axis + rank if axis < 0 else axis for axis in (int(one) for one in axes)]
    if any(not 0 <= axis < rank for axis in found):
        raise graph.refuse(f"operator {operator.name} names axis {list(axes)} of a tensor of {rank} axes; damaged")
    return found


def _reduce(graph: Graph, operator: Operator) -> None:
    source = operator.inputs[0]
    rank = len(graph.shape(source))
    told = graph.needed(operator.inputs[1], operator, "axes").reshape(-1)
    axes = real_axes(graph, operator, told.tolist(), rank)
    kept = bool(operator.option("KeepDims", default=False))
    # Among planes unless the axes that are left would be in another order than the file's.
    planes = graph.in_planes([source]) and (kept or 3 in axes or set(axes) >= {1, 2})
    value = graph.value(source, planes=planes)
    axes = [PLANES_AXIS[axis] for axis in axes] if planes else axes
    kind = _KINDS[operator.name]
    if kind == "ReduceSum":
        name = graph.emit(kind, [value, graph.hold(np.array(axes, np.int64))], keepdims=int(kept))
    else:
        name = graph.emit(kind, [value], axes=axes, keepdims=int(kept))
    graph.put(operator.outputs[0], name, planes=planes and kept)


def _best(graph: Graph, operator: Operator) -> None:
    source, result = operator.inputs[0], operator.outputs[0]
    rank = len(graph.shape(source))
    told = graph.needed(operator.inputs[1], operator, "axis").reshape(-1)
    (axis,) = real_axes(graph, operator, told[:1].tolist(), rank)
    planes = graph.in_planes([source]) and axis == 3
    kind = {"ARG_MAX": "ArgMax", "ARG_MIN": "ArgMin"}[operator.name]
    value = graph.value(source, planes=planes)
    name = graph.emit(kind, [value], axis=PLANES_AXIS[axis] if planes else axis, keepdims=0)
    graph.put(result, graph.emit("Cast", [name], to=element_of(graph.tensor(result))), planes=False)


def _unit_length(graph: Graph, operator: Operator) -> None:
    planes = graph.in_planes(operator.inputs[:1])
    value = graph.value(operator.inputs[0], planes=planes)
    length = graph.emit("ReduceL2", [value], axes=[1 if planes else -1], keepdims=1)
    floor = graph.hold(np.float32(1e-3))  # LiteRT's least sum of squares is 1e-6
    name = graph.emit("Div", [value, graph.emit("Max", [length, floor])])
    graph.activate(operator.outputs[0], name, operator.option("FusedActivationFunction"), planes=planes)


OPERATORS = {
    **dict.fromkeys(_KINDS, _reduce),
    "ARG_MAX": _best,
    "ARG_MIN": _best,
    "L2_NORMALIZATION": _unit_length,
}
