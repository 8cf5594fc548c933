"""A graph as quantization sees it: who feeds whom, which nodes multiply, and how many multiply-adds each costs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import onnx

# Where nearly all the arithmetic of a vision network is, and where int8 kernels exist.
WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclass(frozen=True, slots=True)
class Layer:
    """One node that multiplies by weights. ``order``: its place among them; ``depthwise``: one filter a channel.
    ``channels_in``: that one output value is computed from.
    """

    name: str
    op_type: str
    order: int
    multiply_adds: int
    depthwise: bool
    channels_in: int
    output: str


class Network:
    """An ONNX graph with shapes inferred and every node named.

    Raises: ValueError: shape inference finds shapes that contradict each other.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        """``model`` is copied; nodes without a name get one, since quantization speaks of them by name."""
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        _name_nodes(self.model)
        try:
            self.model = onnx.shape_inference.infer_shapes(self.model, data_prop=True)
        except (onnx.shape_inference.InferenceError, RuntimeError) as error:
            raise ValueError(str(error)) from error
        graph = self.model.graph
        self.nodes = {node.name: node for node in graph.node}
        self.producer = {output: node for node in graph.node for output in node.output if output}
        self.consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                if name:
                    self.consumers[name].append(node)
        self.weights = {tensor.name: tensor for tensor in graph.initializer}
        self.shapes = {
            item.name: tuple(dim.dim_value for dim in item.type.tensor_type.shape.dim)
            for item in (*graph.input, *graph.value_info, *graph.output)
        }
        self.float_tensors = {
            item.name
            for item in (*graph.value_info, *graph.output)
            if item.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        }
        self.outputs = [item.name for item in graph.output]
        self.layers = self._layers()

    def _layers(self) -> list[Layer]:
        found: list[Layer] = []
        for node in self.model.graph.node:
            if node.op_type in WEIGHTED and any(name in self.weights for name in node.input[:2]):
                found.append(
                    Layer(
                        node.name,
                        node.op_type,
                        len(found),
                        self._multiply_adds(node),
                        self._is_depthwise(node),
                        self._channels_in(node),
                        node.output[0],
                    )
                )
        return found

    def layer(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)

    def integer_share(self, kept_float: Iterable[str]) -> float:
        """Share of the multiply-adds that are left when the nodes ``kept_float`` stay in floating point."""
        kept = set(kept_float)
        total = sum(layer.multiply_adds for layer in self.layers)
        done = sum(layer.multiply_adds for layer in self.layers if layer.name not in kept)
        return done / total if total else 0.0

    def _multiply_adds(self, node: onnx.NodeProto) -> int:
        weight = next((self.weights[name] for name in node.input[:2] if name in self.weights), None)
        out = self.shapes.get(node.output[0], ())
        if weight is None or not out or not all(out):
            return 0
        dims = [int(side) for side in weight.dims]
        if node.op_type == "Conv":
            return int(math.prod(out) * math.prod(dims[1:]))
        if node.op_type == "ConvTranspose":
            source = self.shapes.get(node.input[0], ())
            return int(math.prod(source) * math.prod(dims[1:]))
        inner = dims[0] if node.input[1] in self.weights else dims[-1]
        if node.op_type == "Gemm" and attribute(node, "transB", 0) and node.input[1] in self.weights:
            inner = dims[1]
        return int(math.prod(out) * inner)

    def _channels_in(self, node: onnx.NodeProto) -> int:
        """Of one output value: one where the layer is depthwise."""
        dims = [int(side) for side in next(self.weights[name] for name in node.input[:2] if name in self.weights).dims]
        if node.op_type == "Conv":
            return dims[1]
        return dims[1] if attribute(node, "transB", 0) else dims[0]

    def _is_depthwise(self, node: onnx.NodeProto) -> bool:
        group = attribute(node, "group", 1)
        return bool(node.op_type == "Conv" and group > 1 and self.weights[node.input[1]].dims[1] == 1)


def attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    """An integer attribute of a node."""
    return next((int(item.i) for item in node.attribute if item.name == name), default)


def _name_nodes(model: onnx.ModelProto) -> None:
    used: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in used:
            node.name = f"{node.op_type}_{index}"
        used.add(node.name)
