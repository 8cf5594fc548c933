"""Axes named anew, turned, cut and padded."""

from __future__ import annotations

import numpy as np

from vigie_devkit.models.tflite.flatbuffer import Operator
from vigie_devkit.models.tflite.graph import PLANES_AXIS, TO_PLAIN, TO_PLANES, Graph, elements
from vigie_devkit.models.tflite.operators.reducing import real_axes

_END = np.iinfo(np.int32).max


def _reshape(graph: Graph, operator: Operator) -> None:
    """By the shape that is passed, else that of the options, else that of the result."""
    source, result = operator.inputs[0], operator.outputs[0]
    told = graph.constant(operator.inputs[1]) if len(operator.inputs) > 1 and operator.inputs[1] >= 0 else None
    shape = [int(one) for one in (graph.shape(result) if told is None else told.reshape(-1))]
    known = elements([side for side in shape if side != -1])
    whole = elements(graph.shape(source))
    if shape.count(-1) > 1 or any(side < -1 for side in shape) or (known != whole and (-1 not in shape or not known)):
        raise graph.refuse(f"operator RESHAPE makes {shape} of {list(graph.shape(source))}; damaged")
    name = graph.emit("Reshape", [graph.plain(source), graph.hold(np.array(shape, np.int64))])
    graph.put(result, name, planes=False)


def _as_result(graph: Graph, operator: Operator) -> None:
    """SQUEEZE and EXPAND_DIMS: the same numbers in the shape of the result."""
    result = operator.outputs[0]
    if elements(graph.shape(result)) != elements(graph.shape(operator.inputs[0])):
        raise graph.refuse(f"operator {operator.name} changes the number of elements; the file is damaged")
    shape = graph.hold(np.array(graph.shape(result), np.int64))
    graph.put(result, graph.emit("Reshape", [graph.plain(operator.inputs[0]), shape]), planes=False)


def _transpose(graph: Graph, operator: Operator) -> None:
    source, result = operator.inputs[0], operator.outputs[0]
    turn = [int(one) for one in graph.needed(operator.inputs[1], operator, "order").reshape(-1)]
    if sorted(turn) != list(range(len(graph.shape(source)))):
        raise graph.refuse(f"operator TRANSPOSE has the order {turn}; the file is damaged")
    if turn == TO_PLANES and graph.in_planes([source]):
        graph.put(result, graph.emit("Identity", [graph.planes(source)]), planes=False)
        return
    if turn == TO_PLAIN and not graph.is_constant(source) and not graph.in_planes([source]):
        graph.put(result, graph.emit("Identity", [graph.plain(source)]), planes=True)
        return
    graph.put(result, graph.emit("Transpose", [graph.plain(source)], perm=turn), planes=False)


def _pad(graph: Graph, operator: Operator) -> None:
    source = operator.inputs[0]
    rank = len(graph.shape(source))
    pads = graph.needed(operator.inputs[1], operator, "sizes")
    if pads.shape != (rank, 2) or pads.min(initial=0) < 0:
        raise graph.refuse(f"operator {operator.name} pads {rank} axes by {pads.tolist()}; the file is damaged")
    planes = graph.in_planes([source])
    pads = pads[TO_PLANES] if planes else pads
    inputs = [graph.value(source, planes=planes), graph.hold(pads.T.reshape(-1).astype(np.int64))]
    mode = "constant"
    if operator.name == "MIRROR_PAD":
        if operator.option("Mode"):
            raise graph.refuse("operator MIRROR_PAD repeats the edge, which is not read; export the model to .onnx")
        mode = "reflect"
    elif operator.name == "PADV2":
        filled = graph.needed(operator.inputs[2], operator, "filling").reshape(-1)
        inputs.append(graph.hold(filled[0]))
    graph.put(operator.outputs[0], graph.emit("Pad", inputs, mode=mode), planes=planes)


def _slice(graph: Graph, operator: Operator) -> None:
    source = operator.inputs[0]
    shape = graph.shape(source)
    begin = [int(one) for one in graph.needed(operator.inputs[1], operator, "begin").reshape(-1)]
    sizes = [int(one) for one in graph.needed(operator.inputs[2], operator, "size").reshape(-1)]
    if not len(begin) == len(sizes) == len(shape):
        raise graph.refuse(f"operator SLICE cuts {len(begin)} of {len(shape)} axes; the file is damaged")
    ends = [_END if size == -1 else start + size for start, size in zip(begin, sizes, strict=True)]
    planes = graph.in_planes([source])
    graph.put(operator.outputs[0], _cut(graph, source, begin, ends, [1] * len(shape), planes=planes), planes=planes)


def _strided_slice(graph: Graph, operator: Operator) -> None:
    source = operator.inputs[0]
    shape = graph.shape(source)
    if operator.option("EllipsisMask") or operator.option("NewAxisMask") or operator.option("Offset", default=False):
        raise graph.refuse("operator STRIDED_SLICE with new axes, an ellipsis or offsets is not read; export to .onnx")
    told = [graph.needed(number, operator, "place").reshape(-1) for number in operator.inputs[1:4]]
    starts, ends, steps = ([int(one) for one in each] for each in told)
    if not len(starts) == len(ends) == len(steps) <= len(shape) or 0 in steps:
        raise graph.refuse(f"operator STRIDED_SLICE cuts {len(starts)} of {len(shape)} axes; the file is damaged")
    lost = [axis for axis in range(len(starts)) if operator.option("ShrinkAxisMask") >> axis & 1]
    for axis, step in enumerate(steps):
        if axis in lost:
            ends[axis] = starts[axis] + 1 if starts[axis] != -1 else _END
            steps[axis] = 1
            continue
        if operator.option("BeginMask") >> axis & 1:
            starts[axis] = 0 if step > 0 else _END
        if operator.option("EndMask") >> axis & 1:
            ends[axis] = _END if step > 0 else -_END
    planes = graph.in_planes([source]) and not lost
    name = _cut(graph, source, starts, ends, steps, planes=planes)
    if lost:
        name = graph.emit("Squeeze", [name, graph.hold(np.array(lost, np.int64))])
    graph.put(operator.outputs[0], name, planes=planes)


def _cut(graph: Graph, source: int, starts: list[int], ends: list[int], steps: list[int], *, planes: bool) -> str:
    axes = [PLANES_AXIS[axis] if planes else axis for axis in range(len(starts))]
    told = [graph.hold(np.array(one, np.int64)) for one in (starts, ends, axes, steps)]
    return str(graph.emit("Slice", [graph.value(source, planes=planes), *told]))


def _gather(graph: Graph, operator: Operator) -> None:
    source, where = operator.inputs[:2]
    (axis,) = real_axes(graph, operator, [operator.option("Axis")], len(graph.shape(source)))
    if operator.option("BatchDims"):
        raise graph.refuse("operator GATHER with batches is not read; export the model to .onnx")
    name = graph.emit("Gather", [graph.plain(source), graph.plain(where)], axis=axis)
    graph.put(operator.outputs[0], name, planes=False)


def _tile(graph: Graph, operator: Operator) -> None:
    times = graph.needed(operator.inputs[1], operator, "repeats").reshape(-1)
    name = graph.emit("Tile", [graph.plain(operator.inputs[0]), graph.hold(times.astype(np.int64))])
    graph.put(operator.outputs[0], name, planes=False)


def _broadcast(graph: Graph, operator: Operator) -> None:
    shape = graph.needed(operator.inputs[1], operator, "shape").reshape(-1)
    name = graph.emit("Expand", [graph.plain(operator.inputs[0]), graph.hold(shape.astype(np.int64))])
    graph.put(operator.outputs[0], name, planes=False)


def _shape(graph: Graph, operator: Operator) -> None:
    """Sides are fixed, so this is a constant."""
    result = operator.outputs[0]
    graph.fold(result, np.array(graph.shape(operator.inputs[0]), graph.tensor(result).dtype))


OPERATORS = {
    "RESHAPE": _reshape,
    "SQUEEZE": _as_result,
    "EXPAND_DIMS": _as_result,
    "TRANSPOSE": _transpose,
    "PAD": _pad,
    "PADV2": _pad,
    "MIRROR_PAD": _pad,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "GATHER": _gather,
    "TILE": _tile,
    "BROADCAST_TO": _broadcast,
    "SHAPE": _shape,
}
