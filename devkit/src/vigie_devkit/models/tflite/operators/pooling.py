"""Pools, and rearranging blocks of pixels into channels and back."""

from __future__ import annotations

from vigie_devkit.models.tflite.flatbuffer import Operator
from vigie_devkit.models.tflite.graph import Graph
from vigie_devkit.models.tflite.operators.convolution import SAME, positive, same_pads


def _pool(graph: Graph, operator: Operator) -> None:
    """An average is over what lies inside of the picture, as ONNX's default has it."""
    source = operator.inputs[0]
    kernel = positive(graph, operator, "FilterHeight", "FilterWidth")
    strides = positive(graph, operator, "StrideH", "StrideW")
    name = graph.planes(source)
    size = graph.shape(source)[1:3]
    same = operator.option("Padding") == SAME
    pads = same_pads((size[0], size[1]), kernel, strides, (1, 1)) if same else [0] * 4
    kind = {"MAX_POOL_2D": "MaxPool", "AVERAGE_POOL_2D": "AveragePool"}[operator.name]
    name = graph.emit(kind, [name], kernel_shape=kernel, strides=strides, pads=pads)
    graph.activate(operator.outputs[0], name, operator.option("FusedActivationFunction"), planes=True)


def _blocks(graph: Graph, operator: Operator) -> None:
    kind = {"SPACE_TO_DEPTH": "SpaceToDepth", "DEPTH_TO_SPACE": "DepthToSpace"}[operator.name]
    side, _ = positive(graph, operator, "BlockSize", "BlockSize")
    name = graph.emit(kind, [graph.planes(operator.inputs[0])], blocksize=side)
    graph.put(operator.outputs[0], name, planes=True)


OPERATORS = {
    "MAX_POOL_2D": _pool,
    "AVERAGE_POOL_2D": _pool,
    "SPACE_TO_DEPTH": _blocks,
    "DEPTH_TO_SPACE": _blocks,
}
