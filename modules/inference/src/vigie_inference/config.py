"""Desired properties of the inference module."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which bundle serves."""

    path: Annotated[str, Meta(min_length=1, description="Folder of the model bundle (holds card.yaml).")]
    variant: (
        Annotated[str, Meta(min_length=1, description="Name of a variant of the bundle; absent: the card's first.")]
        | None
    ) = None


class InferenceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is inferred and what of it is passed on. Changes of score, iou and classes apply to the next frame."""

    model: ModelConfig | None = None
    score: (
        Annotated[
            float, Meta(ge=0, le=1, description="Detections below this score are dropped; absent: the card's own.")
        ]
        | None
    ) = None
    iou: (
        Annotated[
            float,
            Meta(ge=0, le=1, description="Boxes of one class that overlap more are one; absent: the card's own."),
        ]
        | None
    ) = None
    classes: (
        Annotated[list[str], Meta(min_length=1, description="Labels to pass on; absent: all that the model knows.")]
        | None
    ) = None
    threads: (
        Annotated[int, Meta(ge=1, le=256, description="Intra-op threads; absent: what the CPU quota allows.")] | None
    ) = None
