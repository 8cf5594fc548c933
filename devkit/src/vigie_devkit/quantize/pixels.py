"""The pixels of a bundle's input are bytes already: in an integer graph they need no Cast and no rounding.

Without this a graph casts 900,000 bytes to float, turns them into bytes again with a scale of one, and only then
multiplies; with the first layer left float it reorders 1.2 million floats behind it as well. With VNNI, where the
products themselves are cheap, that was two fifths of the shipped detector's time.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, numpy_helper

from vigie_devkit.quantize.layers import Network, attribute

PIXEL_RANGE = (0.0, 255.0)
# They move values and compute nothing: bytes pass them as floats do.
_MOVERS = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Slice", "Identity"})


def pixel_tensors(network: Network) -> set[str]:
    """Float tensors that hold nothing but an input's bytes: their range is known, whatever calibration saw."""
    graph = network.model.graph
    inputs = {one.name for one in graph.input if one.type.tensor_type.elem_type == TensorProto.UINT8}
    holds_bytes, found = set(inputs), set[str]()
    for node in graph.node:  # in order of use
        if not node.input or node.input[0] not in holds_bytes | found:
            continue
        if node.op_type in _MOVERS:
            (found if node.input[0] in found else holds_bytes).add(node.output[0])
        elif node.op_type == "Cast" and attribute(node, "to", 0) == TensorProto.FLOAT:
            found.add(node.output[0])
    return found


def fold_pixels(model: onnx.ModelProto) -> None:
    """Take out each Cast of bytes to float whose values are next rounded to the same bytes, and that rounding."""
    graph = model.graph
    kinds = {one.name: one.type.tensor_type.elem_type for one in graph.input}
    constants = {one.name: one for one in graph.initializer}
    for node in graph.node:
        if node.op_type in _MOVERS and node.input[0] in kinds:
            kinds[node.output[0]] = kinds[node.input[0]]
    for cast in [node for node in graph.node if node.op_type == "Cast"]:
        if kinds.get(cast.input[0]) != TensorProto.UINT8 or attribute(cast, "to", 0) != TensorProto.FLOAT:
            continue
        end = _only_consumer(graph, cast.output[0])
        while end is not None and end.op_type in _MOVERS:
            end = _only_consumer(graph, end.output[0])
        if end is None or end.op_type != "QuantizeLinear" or not _keeps_bytes(end, constants):
            continue
        _replace(graph, cast.output[0], cast.input[0])
        _replace(graph, end.output[0], end.input[0])
        graph.node.remove(cast)
        graph.node.remove(end)


def _keeps_bytes(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    """Whether a QuantizeLinear gives back exactly the whole numbers 0..255 that it is fed."""
    scale, zero = (constants.get(name) for name in node.input[1:3])
    if scale is None or zero is None or zero.data_type != TensorProto.UINT8:
        return False
    return bool((numpy_helper.to_array(scale) == 1.0).all() and (numpy_helper.to_array(zero) == 0).all())


def _only_consumer(graph: onnx.GraphProto, tensor: str) -> onnx.NodeProto | None:
    found = [node for node in graph.node if tensor in node.input]
    return found[0] if len(found) == 1 and tensor not in {one.name for one in graph.output} else None


def _replace(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new
