"""One graph in which every rounding can be switched on and off: a mix of layers is tried without writing a file.

The fully quantized graph is taken as onnxruntime.quantization writes it. Behind each Q/DQ pair a ``Where`` chooses
between the rounded and the float value by a flag, and so for the weights of each layer. Sums are made in float, so
this is what exact integer arithmetic answers, on any CPU; the finished file is always measured by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from vigie_devkit.quantize.float_nodes import QUANTIZED_TYPES
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.ranges import open_session

FLAGS = "vigie_flags"


class Simulator:
    """``quantized``: the graph with everything quantized and its activations kept (``keep_activations``)."""

    def __init__(self, network: Network, quantized: onnx.ModelProto, *, threads: int) -> None:
        self._network = network
        self._flags: list[str] = []
        model = onnx.ModelProto()
        model.CopyFrom(quantized)
        del model.graph.value_info[:]
        self._rewrite(model)
        self._input = model.graph.input[0].name
        self._session = open_session(model.SerializeToString(), threads=threads)

    def flags(self, kept_float: Iterable[str]) -> NDArray[np.bool_]:
        """Which roundings take place when the nodes ``kept_float`` stay float: a tensor is rounded if a quantized
        node reads or writes it, weights if their layer is quantized.
        """
        kept = set(kept_float)
        return np.array([self._is_rounded(name, kept) for name in self._flags], bool)

    def run(self, tensor_hwc: NDArray[np.uint8], flags: NDArray[np.bool_]) -> list[NDArray[Any]]:
        """Outputs in graph order."""
        outputs: list[NDArray[Any]] = self._session.run(None, {self._input: tensor_hwc[None], FLAGS: flags})
        return outputs

    def _is_rounded(self, name: str, kept: set[str]) -> bool:
        around = list(self._network.consumers.get(name, ()))
        if name in self._network.producer:
            around.append(self._network.producer[name])
        return any(node.name not in kept and node.op_type in QUANTIZED_TYPES for node in around)

    def _rewrite(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        constants = {tensor.name: tensor for tensor in graph.initializer}
        made = {node.output[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            nodes.append(node)
            if node.op_type != "DequantizeLinear":
                continue
            source = self._float_source(node, made, constants)
            if source is None:
                continue
            rounded = node.output[0]
            original = source.removesuffix("_QuantizeLinear_Input")  # how the quantizer renames a graph's output
            if original not in self._flags:
                self._flags.append(original)
            node.output[0] = f"{rounded}_exact"
            nodes += self._switch(self._flags.index(original), rounded, f"{rounded}_exact", source)
        count = len(self._flags)
        graph.initializer.extend(
            helper.make_tensor(f"vigie_flag_{index}", TensorProto.INT64, [], [index]) for index in range(count)
        )
        have = {tensor.name for tensor in graph.initializer}
        graph.initializer.extend(
            tensor for name in self._flags if (tensor := self._network.weights.get(name)) and name not in have
        )
        del graph.node[:]
        graph.node.extend(nodes)
        graph.input.append(helper.make_tensor_value_info(FLAGS, TensorProto.BOOL, [count]))

    def _float_source(
        self, node: onnx.NodeProto, made: Mapping[str, onnx.NodeProto], constants: Mapping[str, TensorProto]
    ) -> str | None:
        """The float tensor that this pair rounds; ``None``: an integer bias, whose rounding is below notice."""
        if node.input[0] in made:
            return str(made[node.input[0]].input[0])
        name = node.input[0].removesuffix("_quantized")
        is_bias = node.input[0] in constants and constants[node.input[0]].data_type == TensorProto.INT32
        return name if name in self._network.weights and not is_bias else None

    @staticmethod
    def _switch(index: int, name: str, rounded: str, exact: str) -> list[onnx.NodeProto]:
        flag = f"{name}_flag"
        return [
            helper.make_node("Gather", [FLAGS, f"vigie_flag_{index}"], [flag], f"{name}_gather"),
            helper.make_node("Where", [flag, rounded, exact], [name], f"{name}_where"),
        ]
