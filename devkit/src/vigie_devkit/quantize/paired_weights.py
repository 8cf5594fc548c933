"""Weights of nearly 8 bits whose sums cannot saturate on x86 CPUs without VNNI.

Such CPUs (``vpmaddubsw``) multiply two neighbouring bytes of the input by two neighbouring weights and add both
products in 16 bits. Weights of 7 bits are one way to keep every such sum inside; it halves the resolution of all
weights because of the few pairs in which both are large. Here only those pairs give way: 255 x 128 fits, so the
positive weights of a pair may add up to 128 and the negative ones to -128. Each filter's scale is the one with the
least squared error.

Neighbours are what the kernels of ONNX Runtime (MLAS) and oneDNN put together: input channels 2i and 2i + 1 of one
place of the kernel; and, where the channels are odd in number, the last one with the next place's first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from vigie_devkit.quantize.layers import Network

PAIR_MAX = 128  # x 255 = 32640: the last multiple inside 16 bits
WEIGHT_MAX = 127
# Of the scale at which the largest weight is 127: below it single outliers are clipped, at twice no pair gives way.
SCALES = np.geomspace(0.7, 2.0, 40)

Filters = NDArray[np.float64]


def paired_convolutions(network: Network, kept_float: Iterable[str]) -> list[str]:
    """Names of the weights of all convolutions that are quantized, and that nothing else reads."""
    kept = set(kept_float)
    return [
        node.input[1]
        for node in network.model.graph.node
        if node.op_type == "Conv"
        and node.name not in kept
        and node.input[1] in network.weights
        and len(network.consumers[node.input[1]]) == 1
    ]


def pair_weights(model: onnx.ModelProto, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Round the weights ``names`` (O, I, ...) in ``model`` to integers times a scale per filter; the scales in the form
    of ``TensorQuantOverrides``, by which a quantizer finds the same integers.
    """
    from onnxruntime.quantization import QuantType

    wanted, overrides = set(names), dict[str, list[dict[str, Any]]]()
    for tensor in model.graph.initializer:
        if tensor.name not in wanted:
            continue
        weight = numpy_helper.to_array(tensor)
        integers, scales = rounded(weight)
        shape = (-1,) + (1,) * (weight.ndim - 1)
        exact = (integers.astype(np.float32) * scales.reshape(shape)).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(exact, tensor.name))
        overrides[tensor.name] = [
            {"quant_type": QuantType.QInt8, "scale": np.array(scale, np.float32), "zero_point": np.array(0, np.int8)}
            for scale in scales
        ]
        overrides[tensor.name][0]["axis"] = 0
    return overrides


def rounded(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers of the shape of ``weight`` (O, I, ...) and scales (O,) of the least squared error, all pairs inside."""
    channels = weight.shape[1]
    places_last = np.moveaxis(weight.astype(np.float64), 1, -1)  # (O, ..., I): as the kernels walk
    filters = places_last.reshape(len(weight), -1)
    largest = np.maximum(np.abs(filters).max(axis=1), 1e-12) / WEIGHT_MAX
    best, scales = np.zeros(filters.shape), largest.copy()
    least = np.full(len(filters), np.inf)
    for share in SCALES:
        scale = (largest * share).astype(np.float32).astype(np.float64)
        integers = np.clip(np.rint(filters / scale[:, None]), -WEIGHT_MAX, WEIGHT_MAX)
        _keep_inside(integers, channels)
        error = np.square(integers * scale[:, None] - filters).sum(axis=1)
        better = error < least
        best[better], scales[better], least[better] = integers[better], scale[better], error[better]
    integers = np.moveaxis(best.reshape(places_last.shape), -1, 1)
    return np.ascontiguousarray(integers.astype(np.int8)), scales.astype(np.float32)


def _keep_inside(integers: Filters, channels: int) -> None:
    """Lower both weights of each pair that could overflow by half of what is too much."""
    _give_way(integers)
    if channels % 2 and channels > 1:
        by_place = integers.reshape(len(integers), -1, channels)  # a view: the array is whole
        for place in range(by_place.shape[1]):
            _give_way(by_place[:, place])


def _give_way(rows: Filters) -> None:
    """``rows`` (O, N), a view that is written to: its values 2i and 2i + 1 are a pair."""
    even = rows.shape[1] // 2 * 2
    left, right = rows[:, 0:even:2], rows[:, 1:even:2]
    for sign in (1.0, -1.0):
        # Above the bound both have this sign: one alone is at most 127.
        over = np.maximum(np.maximum(sign * left, 0) + np.maximum(sign * right, 0) - PAIR_MAX, 0)
        left -= sign * np.floor(over / 2)
        right -= sign * np.ceil(over / 2)
