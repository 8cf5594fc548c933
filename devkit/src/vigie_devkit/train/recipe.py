"""How a detector is trained; without PyTorch, so that what a command does by default can be told anywhere."""

from __future__ import annotations

from dataclasses import dataclass

from vigie_devkit.train.augment import Augment


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """Everything that decides the weights, apart from the data.

    ``cut_px``: train on squares of so many pixels (a multiple of 32) cut from the pictures, mostly about objects; None:
    on whole pictures. ``plain_share``: of the epochs, the last ones, that see pictures without ``augment``.
    ``shards``: in how many parts a batch is computed, see ``shards``.
    """

    epochs: int
    batch: int = 8
    cut_px: int | None = None
    shards: int = 2
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up_steps: int = 300
    average_decay: float = 0.998
    augment: Augment | None = None
    plain_share: float = 0.15
    seed: int = 0
