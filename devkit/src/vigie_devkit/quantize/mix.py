"""The file of one mix of integer and float layers."""

from __future__ import annotations

from collections.abc import Sequence

from vigie_devkit.quantize.clipping import Method
from vigie_devkit.quantize.pixels import fold_pixels
from vigie_devkit.quantize.qdq import file_bytes, write_qdq
from vigie_devkit.quantize.recipes import Recipe
from vigie_devkit.quantize.workbench import Workbench


def mix_bytes(bench: Workbench, recipe: Recipe, method: Method, mix: Sequence[str]) -> bytes:
    """The ONNX file in which the layers ``mix`` are float and all others integers."""
    model = write_qdq(bench.network, recipe, bench.ranges(method), bench.kept(mix), overrides=bench.overrides)
    fold_pixels(model)
    return file_bytes(model)
