"""What both are shown: pictures and noise, in what an input of this type takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie_devkit.models.pictures import parity_pictures
from vigie_devkit.models.tflite.flatbuffer import Network, Tensor
from vigie_devkit.models.tflite.graph import TO_PLANES

_RUNS = 6


def make_feeds(network: Network) -> list[list[NDArray[Any]]]:
    """Of each run, each input in its own type: two scenes, black, white, noise, and a scene as bytes in floats."""
    return [[_feed(network.tensors[number], run) for number in network.inputs] for run in range(_RUNS)]


def as_floats(network: Network, planes: Sequence[bool], feeds: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """The same for a graph that computes in floats, channels first where ``planes`` says so."""
    shown = []
    for number, turned, feed in zip(network.inputs, planes, feeds, strict=True):
        tensor = network.tensors[number]
        values = tensor.dequantized(feed) if tensor.quantized else feed
        values = values.astype(np.float32) if values.dtype.kind == "f" else values
        shown.append(np.ascontiguousarray(values.transpose(TO_PLANES)) if turned else values)
    return shown


def _feed(tensor: Tensor, run: int) -> NDArray[Any]:
    shown = _shown(tensor.shape, run)
    if tensor.dtype == np.int8:
        return (shown.astype(np.int16) - 128).astype(np.int8)
    if tensor.dtype == np.int16:
        return (shown.astype(np.int32) * 257 - 32768).astype(np.int16)
    if tensor.dtype.kind != "f":
        return shown.astype(tensor.dtype)
    units = shown.astype(np.float32) / 255
    ranges = (units, units * 2 - 1, units, units, units * 2 - 1, shown.astype(np.float32))
    return ranges[run].astype(tensor.dtype)


def _shown(shape: tuple[int, ...], run: int) -> NDArray[np.uint8]:
    """uint8 in the shape of the input."""
    if len(shape) == 4 and shape[3] == 3 and run != 4:
        pictures = parity_pictures((shape[1], shape[2]))
        return np.broadcast_to(pictures[run % len(pictures)], shape).copy()
    return np.random.default_rng(run).integers(0, 256, shape, np.uint8)
