"""Channels that reach equally far, so that eight bits are spent on all of them.

A tensor has one scale for all of its channels. Before the last layers of a trained detector the largest channel reaches
six times as far as the middle one, which is left with five bits, and boxes show it. ReLU commutes with factors above 0:
what a channel gives is multiplied by one, what reads it divided by the same, and the network answers as before. After
Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (2019), here with the values of
training pictures, and only where what reads the channels stays float.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vigie_devkit.train.network import STRIDES, Detector

PICTURES = 64
# A channel that is nearly silent on these pictures may speak on others: what it says beyond its reach here is cut off
# in integers, so it is raised by no more than this share allows (20 times; trained detectors need up to 17).
REACH_MIN = 0.05


def even_channels(network: Detector, images_bgr: NDArray[np.uint8]) -> None:
    """Change ``network``, in evaluation mode, by up to ``PICTURES`` of the images (N, H, W, 3)."""
    reach: dict[str, Tensor] = {}

    def note(name: str) -> Any:
        def hook(_module: object, _inputs: object, values: Tensor) -> None:
            most = values.amax(dim=(0, 2, 3))
            reach[name] = torch.maximum(reach[name], most) if name in reach else most

        return hook

    hooks = [network.parts[f"h{stride}"].register_forward_hook(note(f"h{stride}")) for stride in STRIDES]
    with torch.no_grad():
        for image in images_bgr[:: max(1, len(images_bgr) // PICTURES)][:PICTURES]:
            network(torch.from_numpy(image)[None].permute(0, 3, 1, 2))
        for hook in hooks:
            hook.remove()
        for stride in STRIDES:
            most = reach[f"h{stride}"]
            top = most.max()
            if top <= 0:
                continue
            factor = top / most.clamp(min=float(top) * REACH_MIN)
            normalisation = network.parts[f"h{stride}"][1]
            normalisation.weight.mul_(factor)
            normalisation.bias.mul_(factor)
            for head in ("box", "obj", "cls"):
                network.parts[f"{head}{stride}"].weight.div_(factor[None, :, None, None])
