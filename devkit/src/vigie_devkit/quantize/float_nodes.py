"""Which nodes stay in floating point when some layers do: the tail, the layers, and what lies between such layers."""

from __future__ import annotations

from collections.abc import Iterable

from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.tails import Tail

# Without weights, and with integer kernels or merely moving bytes: quantized where their inputs are.
FOLLOWERS = frozenset(
    {
        "Add", "AveragePool", "Clip", "Concat", "GlobalAveragePool", "HardSigmoid", "LeakyRelu", "MaxPool", "Mul",
        "Pad", "Relu", "Reshape", "Resize", "Sigmoid", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
QUANTIZED_TYPES = sorted(FOLLOWERS | {"Conv", "ConvTranspose", "Gemm", "MatMul"})


def float_nodes(network: Network, tail: Tail, float_layers: Iterable[str]) -> set[str]:
    """Names of all nodes to exclude from quantization.

    A node without weights between two float layers would be an island: quantized on entry, dequantized at its exit,
    slower and less exact. It is quantized only where an integer node feeds it; so is nothing before the first layer,
    where the pixels are scaled.
    """
    outside = {*tail.nodes, *float_layers}
    layers = {layer.name for layer in network.layers}
    integer: set[str] = set()
    for node in network.model.graph.node:
        if node.name in outside:
            continue
        sources = (network.producer[name].name for name in node.input if name in network.producer)
        if node.name in layers or (node.op_type in FOLLOWERS and any(source in integer for source in sources)):
            integer.add(node.name)
    return {node.name for node in network.model.graph.node} - integer
