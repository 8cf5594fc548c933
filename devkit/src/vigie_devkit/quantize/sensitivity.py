"""What each layer costs when it alone is quantized: the noise that arrives at the outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie_devkit.quantize.float_nodes import float_nodes
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.samples import TensorSample
from vigie_devkit.quantize.simulator import Simulator
from vigie_devkit.quantize.tails import Tail


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """``noise``: power of the error over that of the signal, mean over the outputs' channels. ``sqnr_db`` says it in
    decibels: 20 dB is a hundredth.
    """

    layer: str
    noise: float

    @property
    def sqnr_db(self) -> float:
        return -10.0 * math.log10(max(self.noise, 1e-12))


def rank_layers(
    network: Network,
    tail: Tail,
    simulator: Simulator,
    samples: Sequence[TensorSample],
    outputs: Sequence[Sequence[NDArray[Any]]],
    *,
    step: Callable[[], None],
) -> list[Sensitivity]:
    """Every layer, the most harmful first.

    Args: outputs: of the float network for ``samples``. step: called after each layer.
    """
    scales = [_channel_power([frame[index] for frame in outputs]) for index in range(len(outputs[0]))]
    names = [layer.name for layer in network.layers]
    found = []
    for name in names:
        flags = simulator.flags(float_nodes(network, tail, [other for other in names if other != name]))
        noise = [
            _noise(wanted, simulator.run(sample.tensor_hwc, flags), scales)
            for sample, wanted in zip(samples, outputs, strict=True)
        ]
        found.append(Sensitivity(name, float(np.mean(noise))))
        step()
    return sorted(found, key=lambda one: -one.noise)


def _noise(wanted: Sequence[NDArray[Any]], had: Sequence[NDArray[Any]], scales: Sequence[NDArray[Any]]) -> float:
    shares = [
        (np.mean(np.square(left.astype(np.float64) - right), axis=_others(left)) / scale).mean()
        for left, right, scale in zip(wanted, had, scales, strict=True)
        if left.shape == right.shape
    ]
    return float(np.mean(shares)) if shares else 1.0


def _channel_power(frames: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Variance of each channel. Boxes of 0..640 and scores of 0..1 weigh the same, and a score that is nearly always
    zero is measured by the objects that make it rise.
    """
    alike = [frame for frame in frames if frame.shape == frames[0].shape]
    stacked = np.concatenate(
        [np.moveaxis(frame, _channel_axis(frame), -1).reshape(-1, _channels(frame)) for frame in alike]
    )
    power: NDArray[np.float64] = np.maximum(stacked.astype(np.float64).var(axis=0), 1e-9)
    return power


def _channel_axis(array: NDArray[Any]) -> int:
    """The shorter side: a detector has thousands of cells and tens of channels."""
    if array.ndim < 3:
        return array.ndim - 1
    return 1 + int(np.argmin(array.shape[1:]))


def _channels(array: NDArray[Any]) -> int:
    return array.shape[_channel_axis(array)] if array.ndim else 1


def _others(array: NDArray[Any]) -> tuple[int, ...]:
    return tuple(axis for axis in range(array.ndim) if axis != _channel_axis(array))
