"""Convolutions that stay float and read one tensor become one convolution whose output is split.

A detector's last layers are several thin convolutions side by side (boxes, objectness, classes). Where they stay float
behind an integer layer, ONNX Runtime gives each of them its own dequantized copy of the whole input in its own memory
order, which costs more than their multiplications. Filters are stacked; each answers as before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from vigie_devkit.quantize.layers import Network, attribute

SPLIT_SUFFIX: Final = "_parts"
# From here on Split takes the sizes as an input.
_OPSET_MIN: Final = 13


def join_siblings(network: Network, kept_float: Iterable[str]) -> tuple[Network, tuple[str, ...]]:
    """``network`` with siblings joined, and the names of the nodes that split them; unchanged without siblings.

    Args: kept_float: nodes that stay float; others are left as they are. A joined node has the first one's name.
    """
    groups = _siblings(network, set(kept_float))
    opset = max((one.version for one in network.model.opset_import if one.domain in {"", "ai.onnx"}), default=0)
    if not groups or opset < _OPSET_MIN:
        return network, ()
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    return Network(_joined(model, groups)), tuple(f"{group[0].name}{SPLIT_SUFFIX}" for group in groups)


def _siblings(network: Network, kept: set[str]) -> list[list[onnx.NodeProto]]:
    """Groups of two or more in the graph's order."""
    groups: dict[tuple[object, ...], list[onnx.NodeProto]] = defaultdict(list)
    for node in network.model.graph.node:
        constants = node.input[1:]
        own = all(name in network.weights and len(network.consumers[name]) == 1 for name in constants)
        if node.op_type != "Conv" or node.name not in kept or not own or attribute(node, "group", 1) != 1:
            continue
        attributes = tuple(sorted(one.SerializeToString() for one in node.attribute))
        kind = network.weights[node.input[1]].data_type, tuple(network.weights[node.input[1]].dims[1:])
        groups[node.input[0], len(constants), attributes, kind].append(node)
    return [group for group in groups.values() if len(group) > 1]


def _joined(model: onnx.ModelProto, groups: Sequence[Sequence[onnx.NodeProto]]) -> onnx.ModelProto:
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for group in groups:
        first, names = group[0], {node.name for node in group}
        counts = [constants[node.input[1]].dims[0] for node in group]
        for slot in range(1, len(first.input)):
            whole = np.concatenate([numpy_helper.to_array(constants[node.input[slot]]) for node in group])
            constants[first.input[slot]].CopyFrom(numpy_helper.from_array(whole, first.input[slot]))
        parts = f"{first.name}{SPLIT_SUFFIX}"
        graph.initializer.append(numpy_helper.from_array(np.array(counts, np.int64), f"{parts}_sizes"))
        place = next(index for index, node in enumerate(graph.node) if node.name in names)
        conv = onnx.NodeProto()
        conv.CopyFrom(graph.node[place])
        del conv.output[:]
        conv.output.append(f"{parts}_whole")
        split = helper.make_node(
            "Split", [conv.output[0], f"{parts}_sizes"], [node.output[0] for node in group], parts, axis=1
        )
        others = [node for node in graph.node if node.name not in names]
        del graph.node[:]
        graph.node.extend([*others[:place], conv, split, *others[place:]])
    used = {name for node in graph.node for name in node.input}
    unused = [tensor for tensor in graph.initializer if tensor.name not in used]
    for tensor in unused:
        graph.initializer.remove(tensor)
    return model
