"""Layers that integers do not make faster: too little to multiply per byte that is moved.

Integer kernels gather a convolution's inputs first; with one to four input channels (depthwise layers, the first one
on a picture) that costs more than the multiplications. Whether it is so here is measured, not assumed: one file with
all layers in integers, one with these in float, in turns.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from vigie_devkit.quantize.clipping import Method
from vigie_devkit.quantize.mix import mix_bytes
from vigie_devkit.quantize.progress import bar
from vigie_devkit.quantize.recipes import Recipe
from vigie_devkit.quantize.speed import Timing, time_files
from vigie_devkit.quantize.workbench import Workbench

CHANNELS_MAX = 4
ROUNDS = 2
# Below this gain the fewer float layers are better.
GAIN_MIN = 0.02


def unpaid_layers(
    bench: Workbench, recipe: Recipe, method: Method, timed: Callable[..., Mapping[str, Timing]] = time_files
) -> tuple[str, ...]:
    """Names of layers to leave float for speed on this machine; none where the recipe is for other machines."""
    thin = tuple(layer.name for layer in bench.network.layers if layer.channels_in <= CHANNELS_MAX)
    if not thin or len(thin) == len(bench.network.layers) or bench.machine.local not in recipe.targets:
        return ()
    with tempfile.TemporaryDirectory() as folder, bar(f"{recipe.name}: thin layers", 2 * ROUNDS) as step:
        files = {"integer": Path(folder) / "integer.onnx", "float": Path(folder) / "float.onnx"}
        files["integer"].write_bytes(mix_bytes(bench, recipe, method, ()))
        files["float"].write_bytes(mix_bytes(bench, recipe, method, thin))
        times = timed(files, threads=1, rounds=ROUNDS, step=step)
    return thin if times["float"].cpu_ms < times["integer"].cpu_ms * (1.0 - GAIN_MIN) else ()
