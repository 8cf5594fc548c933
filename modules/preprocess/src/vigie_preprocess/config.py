"""Desired properties of the preprocess module."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.config.doorbells import DoorbellConfig
from vigie.contracts.tensors import Merge
from vigie.vision.tiles import WHOLE

CAMERAS_MAX = 64
CameraName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Tiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Look at the region in overlapping tiles, each as large as the model's input: finds what is small."""

    columns: Annotated[
        int, Meta(ge=1, le=6, description="Tiles side by side; columns x rows runs of the model per frame.")
    ] = 2
    rows: Annotated[int, Meta(ge=1, le=6, description="Tiles one below the other.")] = 2
    overlap: Annotated[
        float,
        Meta(
            ge=0,
            le=0.5,
            description="Share of its side that a tile has in common with the next; objects up to this size are whole "
            "in at least one tile.",
        ),
    ] = 0.2
    whole: Annotated[
        bool,
        Meta(description="Also look at the whole region at once, for what is larger than a tile: one run more."),
    ] = True
    merge: Annotated[
        Merge,
        Meta(
            description="nmm: parts of an object that no tile shows whole are put together; nms: the best part is kept "
            "(crowds, where parts of neighbours could be taken for one object)."
        ),
    ] = "nmm"


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where in the picture of a camera the model looks, and how closely."""

    box: Annotated[
        tuple[Share, Share, Share, Share],
        Meta(description="Left, top, right, bottom in shares of the upright picture, 0 to 1 from its top left."),
    ] = WHOLE
    tiles: Annotated[Tiles, Meta(description="In tiles; without it the region is one picture.")] | None = None


class PreprocessConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How frames are fitted; what they are fitted to is published by inference, not configured here."""

    regions: Annotated[
        dict[CameraName, Region],
        Meta(
            max_length=CAMERAS_MAX,
            description="Detection regions by camera; without one the model sees the whole picture at once. "
            "region_state tells what is in force.",
        ),
    ] = {}
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
