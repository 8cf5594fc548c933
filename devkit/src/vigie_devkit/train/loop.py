"""The training loop: plain stochastic gradient work on a CPU, repeatable under a seed."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vigie_devkit.train.batches import make_batch
from vigie_devkit.train.dataset import Dataset
from vigie_devkit.train.network import Detector, cells
from vigie_devkit.train.recipe import TrainingRecipe
from vigie_devkit.train.shards import Shards


@dataclass(frozen=True, slots=True)
class Progress:
    """Said after every epoch. ``network``: the averaged one so far, to look at and not to change."""

    epoch: int
    epochs: int
    loss: dict[str, float]
    elapsed_s: float
    network: Detector


def train(
    data: Dataset,
    class_count: int,
    recipe: TrainingRecipe,
    on_progress: Callable[[Progress], None],
    start: Detector | None = None,
) -> Detector:
    """Train and return the averaged network in evaluation mode, on the CPU.

    ``start``: the network to go on with, which is changed; None: a fresh one.
    bfloat16 is used where the CPU multiplies it in hardware (AMX, AVX512-BF16): three times faster, same accuracy.
    """
    torch.manual_seed(recipe.seed)
    chance = np.random.default_rng(recipe.seed)
    network = start or Detector(class_count).to(memory_format=torch.channels_last)
    average: Detector = copy.deepcopy(network).eval()
    cut_hw = _cut_size((data.images.shape[1], data.images.shape[2]), recipe)
    optimiser = _optimiser(network, recipe)
    size = min(recipe.batch, len(data))  # of a batch; a handful of pictures is one
    batches = len(data) // size
    steps = recipe.epochs * batches
    shards = Shards(network, recipe.shards, cells(cut_hw), bfloat16=has_bfloat16())
    begun_s, step = time.monotonic(), 0
    try:
        for epoch in range(recipe.epochs):
            sums: dict[str, float] = {}
            order = chance.permutation(len(data))
            augment = recipe.augment if epoch < round(recipe.epochs * (1 - recipe.plain_share)) else None
            for number in range(batches):
                images, targets = make_batch(data, order[number * size : (number + 1) * size], chance, cut_hw, augment)
                for group in optimiser.param_groups:
                    group["lr"] = _learning_rate(recipe, step, steps)
                parts = shards.backward(images, targets)
                torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
                optimiser.step()
                step += 1
                _follow(average, network, min(recipe.average_decay, step / (step + 20)))
                for name, value in parts.items():
                    sums[name] = sums.get(name, 0.0) + value / batches
            on_progress(Progress(epoch + 1, recipe.epochs, sums, time.monotonic() - begun_s, average))
    finally:
        shards.close()
    return average


def _cut_size(picture_hw: tuple[int, int], recipe: TrainingRecipe) -> tuple[int, int]:
    if recipe.cut_px is None:
        return picture_hw
    return min(recipe.cut_px, picture_hw[0]), min(recipe.cut_px, picture_hw[1])


def _optimiser(network: Detector, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """AdamW that leaves biases and normalisation undecayed."""
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    plain = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
    )


def has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this CPU has bfloat16 matrix instructions."""
    try:
        text = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return False
    return any(flag in text for flag in ("amx_bf16", "avx512_bf16"))


def _learning_rate(recipe: TrainingRecipe, step: int, steps: int) -> float:
    warm_up = max(1, min(recipe.warm_up_steps, steps // 4))  # a short training must not end while it warms up
    if step < warm_up:
        return recipe.learning_rate * (step + 1) / warm_up
    share = (step - warm_up) / max(1, steps - warm_up)
    return recipe.learning_rate * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * share)))


def _follow(average: Detector, network: Detector, decay: float) -> None:
    with torch.no_grad():
        for mine, theirs in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1.0 - decay)
            else:
                mine.copy_(theirs)
