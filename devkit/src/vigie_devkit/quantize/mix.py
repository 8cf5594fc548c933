"""The file of one mix of integer and float layers."""

from __future__ import annotations

from collections.abc import Sequence

from vigie_devkit.quantize.clipping import Method
from vigie_devkit.quantize.joined_siblings import join_siblings
from vigie_devkit.quantize.pixel_blocks import BLOCK_NODE, in_blocks
from vigie_devkit.quantize.pixels import fold_pixels
from vigie_devkit.quantize.qdq import file_bytes, write_qdq
from vigie_devkit.quantize.recipes import Recipe
from vigie_devkit.quantize.workbench import Workbench


def mix_bytes(bench: Workbench, recipe: Recipe, method: Method, mix: Sequence[str]) -> bytes:
    """The ONNX file in which the layers ``mix`` are float and all others integers.

    Scales of another tool are of the filters as they are, so those stay; signed activations are no bytes of a picture.
    """
    kept, network = bench.kept(mix), bench.network
    if bench.overrides is None:
        network, parts = join_siblings(network, kept)
        kept = {*kept, *parts, BLOCK_NODE}
        if recipe.activations == "u8":
            network = in_blocks(network, kept)
    model = write_qdq(network, recipe, bench.ranges(method), kept, overrides=bench.overrides)
    fold_pixels(model)
    return file_bytes(model)
