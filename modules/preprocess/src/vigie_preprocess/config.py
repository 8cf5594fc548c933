"""Desired properties of the preprocess module."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.config.doorbells import DoorbellConfig


class PreprocessConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How frames are fitted; what they are fitted to is published by inference, not configured here."""

    slots: Annotated[
        int,
        Meta(
            ge=4,
            le=256,
            description="Tensor slots in shared memory. Three per camera are enough: one pending, two on their way.",
        ),
    ] = 24
    linger_ms: Annotated[
        float,
        Meta(ge=0, le=200, description="Wait this long for more tensors to join a message: less CPU, more delay."),
    ] = 0.0
    doorbells: DoorbellConfig = DoorbellConfig()
