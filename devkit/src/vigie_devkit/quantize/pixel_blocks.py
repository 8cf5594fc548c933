"""The first convolutions of an integer graph read blocks of pixels that lie side by side, in place of single pixels.

Integer kernels gather a convolution's inputs before they multiply, pixel by pixel. On a picture a pixel is three bytes,
so the gathering costs more than the layer: ONNX Runtime took 4.2 ms for the first layer of the shipped detector where
all integer layers together took 11. Channels come last in memory, so p pixels of a row are one pixel of p times the
channels without a byte being moved. The weights follow: a filter over 3 pixels becomes one over two blocks, zeros where
the block reaches further than the filter, and one filter for each output that a block gives. Strides use the blocks up:
where the second convolution takes every second pixel as well, blocks of four become blocks of two, then pixels.
Zeros add nothing to an integer sum: the answers are those of the plain graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vigie_devkit.quantize.layers import Network

BLOCK_NODE: Final = "vigie_pixel_blocks"
# More channels than these are gathered well enough.
_CHANNELS_MAX: Final = 4
# They treat every value alike, wherever it lies.
_POINTWISE: Final = frozenset({"Clip", "HardSigmoid", "LeakyRelu", "Relu", "Sigmoid", "Tanh"})
_TO_PLANES: Final = [0, 3, 1, 2]


@dataclass(frozen=True, slots=True)
class _Filter:
    """What matters of a convolution: stride and padding to the left along a row; its other attributes by name."""

    node: onnx.NodeProto
    weight: NDArray[Any]
    stride: int
    left: int
    attributes: dict[str, list[int]]

    def folded(self, block: int) -> tuple[NDArray[Any], int, int]:
        """Weights for blocks of ``block`` pixels, and the blocks of padding to the left and to the right."""
        outputs, channels, rows, columns = self.weight.shape
        each = block // self.stride  # outputs of a block
        reach = [self.stride * one - self.left for one in range(each)]
        first, last = reach[0] // block, (reach[-1] + columns - 1) // block
        folded = np.zeros((each, outputs, block, channels, rows, last - first + 1), self.weight.dtype)
        for one, start in enumerate(reach):
            for column in range(columns):
                place = start + column
                folded[one, :, place % block, :, :, place // block - first] = self.weight[:, :, :, column]
        shape = (each * outputs, block * channels, rows, last - first + 1)
        return np.ascontiguousarray(folded.reshape(shape)), -first, last


def in_blocks(network: Network, kept_float: Iterable[str]) -> Network:
    """``network`` with its first integer convolutions on blocks, tensors under their names; itself where none fits.

    Args: kept_float: nodes that stay float; their convolutions stay as they are.
    """
    start = _bytes_as_planes(network)
    if start is None:
        return network
    filters = _filters(network, start, set(kept_float))
    block = math.prod(one.stride for one in filters)
    width, channels = network.shapes[start.input[0]][2:]
    if not filters:
        return network
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    del model.graph.value_info[:]  # of these tensors the shapes change
    _reshape_pixels(model, start, (network.shapes[start.input[0]][1], width // block, block * channels))
    for one in filters:
        _rewrite(model, one, block)
        block //= one.stride
    return Network(model)


def _bytes_as_planes(network: Network) -> onnx.NodeProto | None:
    """The node that turns an input of bytes (1, H, W, C) into planes."""
    for port in network.model.graph.input:
        readers = network.consumers.get(port.name, [])
        shape = network.shapes[port.name]
        if port.type.tensor_type.elem_type != TensorProto.UINT8 or len(readers) != 1 or len(shape) != 4:
            continue
        node = readers[0]
        if node.op_type == "Transpose" and _numbers(node).get("perm") == _TO_PLANES and shape[3] <= _CHANNELS_MAX:
            return node
    return None


def _filters(network: Network, start: onnx.NodeProto, kept: set[str]) -> list[_Filter]:
    """The integer convolutions with a stride that follow one another from ``start`` on."""
    found: list[_Filter] = []
    at = start
    while (after := _only_reader(network, at.output[0])) is not None:
        at = after
        if at.op_type == "Cast" and not found:
            continue
        if at.op_type in _POINTWISE and found:
            continue
        one = _filter(network, at) if at.op_type == "Conv" and at.name not in kept else None
        if one is None:
            break
        found.append(one)
    return found


def _filter(network: Network, node: onnx.NodeProto) -> _Filter | None:
    """None: a convolution that cannot be folded, or gains nothing."""
    weight, numbers = network.weights.get(node.input[1]), _numbers(node)
    width_in, width_out = (network.shapes.get(name, (0,))[-1] for name in (node.input[0], node.output[0]))
    if weight is None or len(weight.dims) != 4 or len(network.consumers[node.input[1]]) != 1:
        return None
    if any(name.name == "auto_pad" and name.s not in {b"", b"NOTSET"} for name in node.attribute):
        return None
    stride, left = numbers.get("strides", [1, 1])[1], numbers.get("pads", [0, 0, 0, 0])[1]
    plain = numbers.get("group", [1]) == [1] and set(numbers.get("dilations", [1])) == {1}
    if not plain or stride == 1 or width_in != width_out * stride:
        return None
    if len(node.input) > 2 and (node.input[2] not in network.weights or len(network.consumers[node.input[2]]) != 1):
        return None
    return _Filter(node, numpy_helper.to_array(weight), stride, left, numbers)


def _rewrite(model: onnx.ModelProto, one: _Filter, block: int) -> None:
    weight, left, right = one.folded(block)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    node = next(node for node in model.graph.node if node.name == one.node.name)
    constants[node.input[1]].CopyFrom(numpy_helper.from_array(weight, node.input[1]))
    if len(node.input) > 2:
        bias = np.tile(numpy_helper.to_array(constants[node.input[2]]), block // one.stride)
        constants[node.input[2]].CopyFrom(numpy_helper.from_array(bias, node.input[2]))
    pads = one.attributes.get("pads", [0, 0, 0, 0])
    changed = {
        "kernel_shape": list(weight.shape[2:]),
        "strides": [one.attributes["strides"][0], 1],
        "pads": [pads[0], left, pads[2], right],
    }
    kept = [attribute for attribute in node.attribute if attribute.name not in changed]
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in changed.items())])


def _reshape_pixels(model: onnx.ModelProto, start: onnx.NodeProto, shape_hwc: tuple[int, int, int]) -> None:
    """Let ``start`` read the picture as blocks."""
    graph = model.graph
    place = next(index for index, node in enumerate(graph.node) if node.name == start.name)
    source, shape = graph.node[place].input[0], f"{BLOCK_NODE}_shape"
    graph.initializer.append(numpy_helper.from_array(np.array([1, *shape_hwc], np.int64), shape))
    graph.node[place].input[0] = BLOCK_NODE
    graph.node.insert(place, helper.make_node("Reshape", [source, shape], [BLOCK_NODE], BLOCK_NODE))


def _only_reader(network: Network, tensor: str) -> onnx.NodeProto | None:
    readers = network.consumers.get(tensor, [])
    return readers[0] if len(readers) == 1 and tensor not in network.outputs else None


def _numbers(node: onnx.NodeProto) -> dict[str, list[int]]:
    """Whole-number attributes, single ones as lists of one."""
    return {
        one.name: list(one.ints) if one.type == onnx.AttributeProto.INTS else [int(one.i)]
        for one in node.attribute
        if one.type in {onnx.AttributeProto.INTS, onnx.AttributeProto.INT}
    }
