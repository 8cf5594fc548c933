"""Training that starts from a trained detector: weights out of its ONNX file, normalisation recovered from pictures.

The file holds convolutions with their batch normalisation folded in, so what the normalisation was is lost. It is
recovered instead: each layer's filters are scaled back to the norm that fresh ones have (so that the learning rate
means the same), the mean and variance of their sums are measured on the pictures that will be trained on, and scale and
shift are set so that the layer answers as the file does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from vigie.errors import DatasetError
from vigie.models import load_bundle
from vigie_devkit.train.dataset import Dataset
from vigie_devkit.train.network import STRIDES, Conv, Detector

FRESH_NORM = 2.0**0.5  # of one filter, as nn.init.kaiming_normal_ draws it
MEASURED_PICTURES = 16
VARIANCE_MIN = 1e-6


@dataclass(frozen=True, slots=True)
class StartingWeights:
    """A trained detector: ``weights`` by initializer name, ``labels`` as its heads number them, ``name`` for people."""

    name: str
    labels: tuple[str, ...]
    weights: dict[str, NDArray[np.float32]]
    licence: str = "unknown"


def read_start(path: Path) -> StartingWeights:
    """The float weights of a bundle that ``models train`` made.

    Raises: ModelError: not a bundle. DatasetError: a bundle, but not of this network.
    """
    bundle = load_bundle(path)
    floats = [name for name, facts in bundle.card.variants.items() if facts.precision == "fp32"]
    if not floats:
        raise DatasetError(str(path), "has no fp32 variant; training starts from float weights")
    graph = onnx.load_model_from_string(bundle.variant(floats[0]).read().graph).graph
    weights = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    labels = bundle.card.labels
    for layer in Detector(len(labels)).table:
        if not isinstance(layer, Conv):
            continue
        found = weights.get(f"{layer.name}_weight")
        wanted = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
        if found is None or found.shape != wanted or f"{layer.name}_bias" not in weights:
            raise DatasetError(
                str(path),
                f"is not a detector that `models train` made: layer {layer.name} is missing or has another shape; "
                "leave --from out, or name a bundle of that command",
            )
    return StartingWeights(bundle.card.name, labels, weights, bundle.card.licence)


def start_network(start: StartingWeights, labels: list[str], data: Dataset) -> Detector:
    """The network for ``labels`` with the weights of ``start``, and normalisation measured on pictures of ``data``.

    A label that ``start`` has as well keeps its row of the class layers; others begin fresh.
    """
    network: Detector = Detector(len(labels)).to(memory_format=torch.channels_last)
    images = torch.from_numpy(data.images[:: max(1, len(data) // MEASURED_PICTURES)][:MEASURED_PICTURES])
    values: dict[str, Tensor] = {"image": images.permute(0, 3, 1, 2) / 255.0}
    with torch.no_grad():
        for layer in network.table:
            if not isinstance(layer, Conv):
                up = nn.functional.interpolate(values[layer.deep], scale_factor=2.0, mode="nearest")
                values[layer.name] = up + values[layer.shallow]
                continue
            weight = torch.from_numpy(start.weights[f"{layer.name}_weight"].copy())
            bias = torch.from_numpy(start.weights[f"{layer.name}_bias"].copy())
            part = network.parts[layer.name]
            if not layer.relu:
                _set_head(part, layer, (weight, bias), start.labels, labels)
                continue
            if layer.source == "image":
                weight = weight * 255.0  # the file's takes 0..255, the network divides its input
            _set_normalised(part, weight, bias, values[layer.source])
            values[layer.name] = part.eval()(values[layer.source])
            part.train()
    return network


def _set_normalised(part: nn.Module, weight: Tensor, bias: Tensor, source: Tensor) -> None:
    """Convolution, normalisation, ReLU that answer as ``weight`` and ``bias`` do, each filter at a fresh one's norm."""
    convolution, normalisation = part[0], part[1]
    norm = weight.flatten(1).norm(dim=1).clamp(min=1e-12)
    convolution.weight.copy_(weight * (FRESH_NORM / norm)[:, None, None, None])
    sums = convolution(source)
    mean = sums.mean(dim=(0, 2, 3))
    variance = sums.var(dim=(0, 2, 3), unbiased=False).clamp(min=VARIANCE_MIN)
    spread = (variance + normalisation.eps).sqrt()
    normalisation.running_mean.copy_(mean)
    normalisation.running_var.copy_(variance)
    scale = norm / FRESH_NORM
    normalisation.weight.copy_(spread * scale)
    normalisation.bias.copy_(bias + mean * scale)


def _set_head(
    part: nn.Module, layer: Conv, found: tuple[Tensor, Tensor], had: tuple[str, ...], wanted: list[str]
) -> None:
    weight, bias = found
    if not any(layer.name == f"cls{stride}" for stride in STRIDES):
        part.weight.copy_(weight)
        part.bias.copy_(bias)
        return
    for row, label in enumerate(wanted):
        if label in had:
            part.weight[row], part.bias[row] = weight[had.index(label)], bias[had.index(label)]
