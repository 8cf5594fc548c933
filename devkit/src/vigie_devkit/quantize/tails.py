"""What a network does after its last layers: the part whose values mix ranges and must not share one scale.

A detector's tail joins boxes (0..640) and scores (0..1) in one Concat; quantized with one scale, every score rounds to
zero (microsoft/onnxruntime#14233). Left float it costs nothing: it holds no multiplications worth the name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from vigie_devkit.quantize.layers import Network

# Nodes that only move values keep the range of their input: a walk passes them, but they are no reason to stop it.
_STOP = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclass(frozen=True, slots=True)
class Tail:
    """``nodes``: names between the last layers and the outputs. ``last_layers``: the layers that feed them."""

    nodes: tuple[str, ...]
    last_layers: tuple[str, ...]


def find_tail(network: Network) -> Tail:
    """Walk back from every output to the first layer with weights on each path; all other nodes passed are the tail.

    A node that also feeds a layer (a classifier's pooling before its Gemm is none: the walk stops at the Gemm; a
    Sigmoid whose value goes on into the network is one) is no tail: the network computes with its value.
    """
    layers = {layer.name for layer in network.layers}
    passed: dict[str, None] = {}
    last: dict[str, None] = {}
    open_tensors = deque(network.outputs)
    seen: set[str] = set()
    while open_tensors:
        tensor = open_tensors.popleft()
        if tensor in seen or tensor not in network.producer:
            continue
        seen.add(tensor)
        node = network.producer[tensor]
        if node.name in layers or node.op_type in _STOP:
            last[node.name] = None
            continue
        passed[node.name] = None
        open_tensors.extend(name for name in node.input if name)
    feeds_layer = _ancestors_of_layers(network, layers)
    ordered = [node.name for node in network.model.graph.node]
    return Tail(
        nodes=tuple(name for name in ordered if name in passed and name not in feeds_layer),
        last_layers=tuple(name for name in ordered if name in last),
    )


def layers_before(network: Network, names: Iterable[str]) -> tuple[str, ...]:
    """The layers whose values reach one of the layers ``names`` with no other layer in between."""
    layers = {layer.name for layer in network.layers}
    found: set[str] = set()
    open_tensors = deque(tensor for name in names for tensor in network.nodes[name].input)
    while open_tensors:
        node = network.producer.get(open_tensors.popleft())
        if node is None:
            continue
        if node.name in layers:
            found.add(node.name)
        else:
            open_tensors.extend(node.input)
    return tuple(layer.name for layer in network.layers if layer.name in found)


def _ancestors_of_layers(network: Network, layers: set[str]) -> set[str]:
    """Names of the nodes whose values some layer with weights computes with."""
    found: set[str] = set()
    for node in reversed(network.model.graph.node):
        for output in node.output:
            if any(after.name in layers or after.name in found for after in network.consumers.get(output, ())):
                found.add(node.name)
    return found
