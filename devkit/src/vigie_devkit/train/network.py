"""The detector's network: plain 3x3 convolutions and ReLU, anchor-free, three levels.

Plain convolutions with ReLU are what integer kernels run best (2.7 times faster in int8 than in fp32 where a network of
depthwise convolutions and SiLU gains nothing). The outputs follow YOLOX, so the decoder is the one of that family: per
cell x, y offset and log size, objectness, class scores (Ge et al., "YOLOX", 2021).

The layers are data: the same table builds the PyTorch module here and the ONNX graph in ``export``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)


@dataclass(frozen=True, slots=True)
class Conv:
    """``kernel`` x ``kernel`` convolution of ``source``; ``relu``: batch normalisation and ReLU follow."""

    name: str
    source: str
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    relu: bool = True


@dataclass(frozen=True, slots=True)
class Merge:
    """``deep`` upsampled twice (nearest) plus ``shallow``: both have the same channels."""

    name: str
    deep: str
    shallow: str


Layer = Conv | Merge


def layers(class_count: int) -> list[Layer]:
    """The network for ``class_count`` classes: 0.76 M parameters, 1.57 G multiplications at 480x640.

    Half of the work is done at strides 2 and 4: a part of 12 pixels has three cells there and one and a half at 8.
    """
    table: list[Layer] = [
        Conv("stem1", "image", 3, 16, stride=2),
        Conv("stem2", "stem1", 16, 32, stride=2),
        Conv("c2a", "stem2", 32, 32),
        Conv("c2b", "c2a", 32, 32),
        Conv("down3", "c2b", 32, 64, stride=2),
        Conv("c3", "down3", 64, 64),
        Conv("down4", "c3", 64, 96, stride=2),
        Conv("c4a", "down4", 96, 96),
        Conv("c4b", "c4a", 96, 96),
        Conv("down5", "c4b", 96, 128, stride=2),
        Conv("c5", "down5", 128, 128),
        Conv("side5", "c5", 128, 64, kernel=1),
        Conv("side4", "c4b", 96, 64, kernel=1),
        Merge("m4", "side5", "side4"),
        Conv("p4", "m4", 64, 64),
        Conv("side3", "c3", 64, 64, kernel=1),
        Merge("m3", "p4", "side3"),
        Conv("p3", "m3", 64, 64),
    ]
    for stride, source in ((8, "p3"), (16, "p4"), (32, "side5")):
        table += [
            Conv(f"h{stride}", source, 64, 64),
            Conv(f"box{stride}", f"h{stride}", 64, 4, kernel=1, relu=False),
            Conv(f"obj{stride}", f"h{stride}", 64, 1, kernel=1, relu=False),
            Conv(f"cls{stride}", f"h{stride}", 64, class_count, kernel=1, relu=False),
        ]
    return table


class Detector(nn.Module):
    """(B, 3, H, W) float 0..255 BGR -> (B, A, 5 + classes): raw box offsets, then logits of objectness and classes.

    H and W are multiples of 32. A is the cells of all levels, level by level, rows first.
    """

    def __init__(self, class_count: int) -> None:
        super().__init__()
        self.class_count = class_count
        self.table = layers(class_count)
        self.parts = nn.ModuleDict({layer.name: _module(layer) for layer in self.table if isinstance(layer, Conv)})
        for stride in STRIDES:
            for name in (f"obj{stride}", f"cls{stride}"):
                # Nearly everything is background: begin by saying so (Lin et al., "Focal Loss", 2017).
                nn.init.constant_(self.parts[name].bias, -4.6 if name.startswith("obj") else 0.0)

    def forward(self, images: Tensor) -> Tensor:
        values = {"image": images / 255.0}
        for layer in self.table:
            if isinstance(layer, Conv):
                values[layer.name] = self.parts[layer.name](values[layer.source])
            else:
                up = nn.functional.interpolate(values[layer.deep], scale_factor=2.0, mode="nearest")
                values[layer.name] = up + values[layer.shallow]
        levels = [
            torch.cat([values[f"{part}{stride}"] for part in ("box", "obj", "cls")], dim=1).flatten(2)
            for stride in STRIDES
        ]
        return torch.cat(levels, dim=2).transpose(1, 2).float()


def _module(layer: Conv) -> nn.Module:
    convolution = nn.Conv2d(
        layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.kernel // 2, bias=not layer.relu
    )
    if not layer.relu:
        nn.init.normal_(convolution.weight, std=0.01)
        nn.init.zeros_(convolution.bias)
        return convolution
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(layer.outputs, eps=1e-3, momentum=0.03), nn.ReLU(inplace=True))


def cells(size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Corner of every cell in pixels (A, 2) as x, y, and its stride (A, 1)."""
    corners, strides = [], []
    for stride in STRIDES:
        rows, columns = size_hw[0] // stride, size_hw[1] // stride
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        corners.append(torch.stack((x, y), dim=-1).reshape(-1, 2) * stride)
        strides.append(torch.full((rows * columns, 1), float(stride)))
    return torch.cat(corners).float(), torch.cat(strides)


def decode_boxes(raw: Tensor, corners: Tensor, strides: Tensor) -> Tensor:
    """(..., A, 4) raw offsets -> (..., A, 4) x1, y1, x2, y2 in pixels."""
    centres = corners + raw[..., :2] * strides
    half = raw[..., 2:4].clamp(max=8.0).exp() * strides / 2
    return torch.cat((centres - half, centres + half), dim=-1)
