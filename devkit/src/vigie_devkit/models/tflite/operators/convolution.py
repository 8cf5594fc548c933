"""Convolutions and matrix products.

Source: tensorflow/lite/kernels/padding.h, conv.cc, depthwise_conv.cc, transpose_conv.cc, fully_connected.cc.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie_devkit.models.tflite.flatbuffer import Operator
from vigie_devkit.models.tflite.graph import Graph, elements

SAME = 0


def same_pads(
    size_hw: tuple[int, int], kernel_hw: tuple[int, int], strides_hw: tuple[int, int], dilations_hw: tuple[int, int]
) -> list[int]:
    """ONNX's pads (top, left, bottom, right) of TensorFlow's SAME: the odd one goes to the end."""
    begins, ends = [], []
    for size, kernel, stride, dilation in zip(size_hw, kernel_hw, strides_hw, dilations_hw, strict=True):
        reach = (kernel - 1) * dilation + 1
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        begins.append(total // 2)
        ends.append(total - total // 2)
    return begins + ends


def positive(graph: Graph, operator: Operator, *names: str) -> tuple[int, int]:
    """Two options that are strides, dilations or sides. Raises: ModelFileError: not from 1 up."""
    height, width = (int(operator.option(name, 1)) for name in names)
    if height < 1 or width < 1:
        raise graph.refuse(f"operator {operator.name} has {names[0]} {height} and {names[1]} {width}; damaged")
    return height, width


def _conv_2d(graph: Graph, operator: Operator) -> None:
    kernel = _kernel(graph, operator)
    if graph.shape(operator.inputs[0])[3] % kernel.shape[3]:
        raise graph.refuse(
            f"operator {operator.name} has {kernel.shape[3]} channels in its kernel and others in its input"
        )
    group = graph.shape(operator.inputs[0])[3] // kernel.shape[3]
    _convolve(graph, operator, kernel.transpose(0, 3, 1, 2), group)


def _depthwise(graph: Graph, operator: Operator) -> None:
    kernel = _kernel(graph, operator)
    channels = graph.shape(operator.inputs[0])[3]
    if not channels or kernel.shape[3] % channels:
        raise graph.refuse(f"operator {operator.name} has {kernel.shape[3]} filters for {channels} channels; damaged")
    _convolve(graph, operator, kernel.transpose(3, 0, 1, 2), channels)


def _convolve(graph: Graph, operator: Operator, kernel_oihw: NDArray[Any], group: int) -> None:
    source = operator.inputs[0]
    strides = positive(graph, operator, "StrideH", "StrideW")
    dilations = positive(graph, operator, "DilationHFactor", "DilationWFactor")
    size, sides = graph.shape(source)[1:3], kernel_oihw.shape[2:]
    same = operator.option("Padding") == SAME
    pads = same_pads((size[0], size[1]), (sides[0], sides[1]), strides, dilations) if same else [0] * 4
    inputs = [graph.planes(source), graph.hold(kernel_oihw), *_bias(graph, operator, 2)]
    name = graph.emit(
        "Conv", inputs, kernel_shape=list(sides), strides=strides, dilations=dilations, pads=pads, group=group
    )
    graph.activate(operator.outputs[0], name, operator.option("FusedActivationFunction"), planes=True)


def _transpose_conv(graph: Graph, operator: Operator) -> None:
    """Inputs: the output's shape, the kernel (out, height, width, in), the source, and a bias."""
    source = operator.inputs[2]
    kernel = _four_axes(graph, operator, graph.needed(operator.inputs[1], operator, "weights"))
    wanted = graph.needed(operator.inputs[0], operator, "shape").reshape(-1)
    if wanted.size != 4 or len(graph.shape(source)) != 4:
        raise graph.refuse(f"operator {operator.name} has a shape of {wanted.size} axes; damaged")
    strides = positive(graph, operator, "StrideH", "StrideW")
    begins, ends, more = [], [], []
    for axis in (0, 1):
        out = int(wanted[axis + 1])
        total = (graph.shape(source)[axis + 1] - 1) * strides[axis] + kernel.shape[axis + 1] - out
        same = operator.option("Padding") == SAME
        begin = max(total, 0) // 2 if same else 0
        begins.append(begin)
        ends.append(max(total - begin, 0))
        more.append(max(-total, 0))
    inputs = [graph.planes(source), graph.hold(kernel.transpose(3, 0, 1, 2)), *_bias(graph, operator, 3)]
    name = graph.emit("ConvTranspose", inputs, strides=strides, pads=begins + ends, output_padding=more)
    graph.activate(operator.outputs[0], name, operator.option("FusedActivationFunction"), planes=True)


def _fully_connected(graph: Graph, operator: Operator) -> None:
    source, result = operator.inputs[0], operator.outputs[0]
    if operator.option("WeightsFormat"):
        raise graph.refuse("operator FULLY_CONNECTED has shuffled weights, which are not read; export it to .onnx")
    weights = graph.needed(operator.inputs[1], operator, "weights")
    if weights.ndim != 2 or not weights.shape[1] or elements(graph.shape(source)) % weights.shape[1]:
        raise graph.refuse(f"operator {operator.name} has weights of shape {list(weights.shape)}; damaged")
    flat = np.array([-1, weights.shape[1]], np.int64)
    rows = graph.emit("Reshape", [graph.plain(source), graph.hold(flat)])
    name = graph.emit("Gemm", [rows, graph.hold(weights), *_bias(graph, operator, 2)], transB=1)
    if len(graph.shape(result)) != 2:
        name = graph.emit("Reshape", [name, graph.hold(np.array(graph.shape(result), np.int64))])
    graph.activate(result, name, operator.option("FusedActivationFunction"), planes=False)


def _batch_matmul(graph: Graph, operator: Operator) -> None:
    names = []
    for number, turned in zip(operator.inputs, (operator.option("AdjX"), operator.option("AdjY")), strict=True):
        axes = list(range(len(graph.shape(number))))
        turn = [*axes[:-2], axes[-1], axes[-2]]
        names.append(graph.emit("Transpose", [graph.plain(number)], perm=turn) if turned else graph.plain(number))
    graph.put(operator.outputs[0], graph.emit("MatMul", names), planes=False)


def _kernel(graph: Graph, operator: Operator) -> NDArray[Any]:
    if len(graph.shape(operator.inputs[0])) != 4:
        raise graph.refuse(f"operator {operator.name} reads a tensor of {len(graph.shape(operator.inputs[0]))} axes")
    return _four_axes(graph, operator, graph.needed(operator.inputs[1], operator, "weights"))


def _four_axes(graph: Graph, operator: Operator, kernel: NDArray[Any]) -> NDArray[Any]:
    if kernel.ndim != 4 or not kernel.size:
        raise graph.refuse(f"operator {operator.name} has weights of shape {list(kernel.shape)}; damaged")
    return kernel


def _bias(graph: Graph, operator: Operator, at: int) -> list[str]:
    if len(operator.inputs) <= at or operator.inputs[at] < 0:
        return []
    return [graph.hold(graph.needed(operator.inputs[at], operator, "bias").astype(np.float32).reshape(-1))]


OPERATORS = {
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_conv,
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _batch_matmul,
}
