"""What a family's rule answers: how to feed the model and how to read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from vigie.contracts.inputspec import Align
from vigie.models.card import Task

Channels = Literal["rgb", "bgr"]


@dataclass(frozen=True, slots=True)
class Feed:
    """How the original graph wants its picture: ``(pixel - mean) / std`` in ``channels`` order, pixels 0..255.

    ``mean`` and ``std`` are in the order of ``channels``.
    """

    channels: Channels
    align: Align
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pad_value: int = 114


# The feeds that several families share; each family file cites where it is written down.
UNIT_RGB = Feed("rgb", "centre", std=(255.0, 255.0, 255.0))
UNIT_RGB_STRETCH = Feed("rgb", "stretch", std=(255.0, 255.0, 255.0))
IMAGENET_RGB_STRETCH = Feed("rgb", "stretch", mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))


@dataclass(frozen=True, slots=True)
class Doubt:
    """A rule that nearly fits: ``why`` not, and what to pass."""

    family: str
    why: str


@dataclass(frozen=True, slots=True)
class Recognition:
    """One reading of a model.

    ``outputs``: names in the order the decoder wants, others are cut off. ``class_count``: labels needed,
    ``None`` if any number fits. ``fixed_inputs``: further inputs and what to bake in. ``why``: for people.
    ``feed``: what exports of this outside want, ``other_feeds``: what they want as often; evidence chooses between
    them. ``vouched``: the exporter names itself in metadata or in names that only it writes.
    """

    family: str
    decoder: str
    feed: Feed
    outputs: tuple[str, ...]
    why: str
    class_count: int | None
    params: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None  # of the family itself: an UltraFace finds faces
    task: Task = "detection"
    fixed_inputs: dict[str, list[int]] = field(default_factory=dict)
    score_min: float = 0.4
    iou_max: float = 0.45
    other_feeds: tuple[Feed, ...] = ()
    vouched: bool = False
