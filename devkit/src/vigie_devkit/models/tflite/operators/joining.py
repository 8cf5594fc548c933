"""Tensors joined, stacked, and cut apart."""

from __future__ import annotations

import numpy as np

from vigie_devkit.models.tflite.flatbuffer import Operator
from vigie_devkit.models.tflite.graph import PLANES_AXIS, Graph
from vigie_devkit.models.tflite.operators.reducing import real_axes


def _concat(graph: Graph, operator: Operator) -> None:
    rank = len(graph.shape(operator.outputs[0]))
    (axis,) = real_axes(graph, operator, [operator.option("Axis")], rank)
    numbers = operator.inputs
    planes = graph.in_planes(numbers) and all(len(graph.shape(number)) == 4 for number in numbers)
    names = [graph.value(number, planes=planes) for number in numbers]
    name = graph.emit("Concat", names, axis=PLANES_AXIS[axis] if planes else axis)
    graph.activate(operator.outputs[0], name, operator.option("FusedActivationFunction"), planes=planes)


def _pack(graph: Graph, operator: Operator) -> None:
    rank = len(graph.shape(operator.inputs[0])) + 1
    (axis,) = real_axes(graph, operator, [operator.option("Axis")], rank)
    where = graph.hold(np.array([axis], np.int64))
    names = [graph.emit("Unsqueeze", [graph.plain(number), where]) for number in operator.inputs]
    graph.put(operator.outputs[0], graph.emit("Concat", names, axis=axis), planes=False)


def _unpack(graph: Graph, operator: Operator) -> None:
    source = operator.inputs[0]
    (axis,) = real_axes(graph, operator, [operator.option("Axis")], len(graph.shape(source)))
    value = graph.plain(source)
    for index, result in enumerate(operator.outputs):
        name = graph.emit("Gather", [value, graph.hold(np.array(index, np.int64))], axis=axis)
        graph.put(result, name, planes=False)


def _split(graph: Graph, operator: Operator) -> None:
    """SPLIT reads the axis first, SPLIT_V the tensor, its parts' sizes, and the axis."""
    varied = operator.name == "SPLIT_V"
    source, where = (operator.inputs[0], operator.inputs[2]) if varied else operator.inputs[1::-1]
    told = graph.needed(where, operator, "axis").reshape(-1)
    shape = graph.shape(source)
    (axis,) = real_axes(graph, operator, told[:1].tolist(), len(shape))
    if varied:
        parts = [int(one) for one in graph.needed(operator.inputs[1], operator, "sizes").reshape(-1)]
        parts = [shape[axis] - sum(parts) - 1 if one == -1 else one for one in parts]
    else:
        parts = [shape[axis] // len(operator.outputs)] * len(operator.outputs)
    if len(parts) != len(operator.outputs) or sum(parts) != shape[axis] or min(parts, default=-1) < 0:
        raise graph.refuse(f"operator {operator.name} cuts {shape[axis]} into {parts}; damaged")
    planes = graph.in_planes([source])
    names = graph.emit(
        "Split",
        [graph.value(source, planes=planes), graph.hold(np.array(parts, np.int64))],
        outputs=len(parts),
        axis=PLANES_AXIS[axis] if planes else axis,
    )
    for result, name in zip(operator.outputs, names, strict=True):
        graph.put(result, name, planes=planes)


OPERATORS = {
    "CONCATENATION": _concat,
    "PACK": _pack,
    "UNPACK": _unpack,
    "SPLIT": _split,
    "SPLIT_V": _split,
}
