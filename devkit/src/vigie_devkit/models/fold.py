"""Fold what preprocessing would do per pixel into the graph, so that the device feeds the resized frame as it is.

uint8 (1, H, W, 3) BGR -> layout -> channel order -> float -> (x - mean) / std -> the original input.
Layout and channel order are changed while pixels are bytes: a quarter of the traffic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from vigie_devkit.models.normalise import image_input
from vigie_devkit.models.recognition import Feed

INPUT_NAME = "image_bgr"


def fold_input(model: onnx.ModelProto, feed: Feed, *, nhwc: bool, size_hw: tuple[int, int]) -> onnx.ModelProto:
    """A copy of ``model`` that takes ``image_bgr`` uint8 (1, H, W, 3) in place of its picture input.

    Args: feed: what the original input wants. nhwc: whether it wants channels last.
    """
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    original = image_input(folded)
    name, elem = original.name, original.type.tensor_type.elem_type
    rank = len(original.type.tensor_type.shape.dim)
    chain = _Chain(graph, INPUT_NAME)
    if not nhwc:
        chain.add("Transpose", perm=[0, 3, 1, 2])
    if feed.channels == "rgb":
        # Planes are moved whole; turning the channels of each pixel costs four times as much (640: 5 ms).
        chain.add("Gather", np.array([2, 1, 0], np.int64), axis=3 if nhwc else 1)
    if rank == 3:
        chain.add("Reshape", np.array([*size_hw, 3] if nhwc else [3, *size_hw], np.int64))
    if elem != onnx.TensorProto.UINT8:
        chain.add("Cast", to=elem)
    axes = (1, 1, 3) if nhwc else (3, 1, 1)
    dtype = helper.tensor_dtype_to_np_dtype(elem)
    if elem == onnx.TensorProto.UINT8 and (any(feed.mean) or set(feed.std) != {1.0}):
        raise ValueError("an input of bytes takes pixels as they are")
    if any(feed.mean):
        chain.add("Sub", np.array(feed.mean, dtype).reshape(axes))
    if set(feed.std) != {1.0}:
        chain.add("Mul", (1.0 / np.array(feed.std, np.float64)).astype(dtype).reshape(axes))
    graph.input.remove(original)
    graph.input.insert(0, helper.make_tensor_value_info(INPUT_NAME, onnx.TensorProto.UINT8, [1, *size_hw, 3]))
    chain.finish(name)
    onnx.checker.check_model(folded)
    return folded


class _Chain:
    """Nodes in a row before the first node of a graph."""

    def __init__(self, graph: onnx.GraphProto, start: str) -> None:
        self._graph, self._at = graph, start
        self._nodes: list[onnx.NodeProto] = []

    def add(self, operator: str, constant: NDArray[Any] | None = None, **attributes: Any) -> None:
        number = len(self._nodes)
        inputs = [self._at]
        if constant is not None:
            inputs.append(f"vigie_fold_{number}_constant")
            self._graph.initializer.append(numpy_helper.from_array(constant, inputs[1]))
        self._at = f"vigie_fold_{number}"
        self._nodes.append(
            helper.make_node(operator, inputs, [self._at], name=f"vigie_fold_{operator.lower()}", **attributes)
        )

    def finish(self, name: str) -> None:
        """Let the last node write ``name``, which the graph already reads."""
        if self._nodes:
            self._nodes[-1].output[0] = name
        else:
            self._nodes.append(helper.make_node("Identity", [self._at], [name], name="vigie_fold_identity"))
        rest = list(self._graph.node)
        del self._graph.node[:]
        self._graph.node.extend([*self._nodes, *rest])


def feed_original(frame_bgr: NDArray[Any], feed: Feed, *, nhwc: bool, dtype: str, batch: bool) -> NDArray[Any]:
    """What the original input would be fed for a resized frame (H, W, 3) uint8: NumPy in float64, for parity."""
    pixels = frame_bgr[..., ::-1] if feed.channels == "rgb" else frame_bgr
    if dtype == "uint8":
        values = pixels
    else:
        values = ((pixels.astype(np.float64) - np.array(feed.mean)) / np.array(feed.std)).astype(dtype)
    if not nhwc:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[None] if batch else values)
