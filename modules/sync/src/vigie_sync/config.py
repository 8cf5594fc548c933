"""Desired properties of the sync module."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Report = Literal["every_frame", "with_detections"]


class SyncConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is recorded, how it is batched for the cloud, and how much disk the ledger may take."""

    report: Annotated[
        Report,
        Meta(
            description="'every_frame' records empty frames too; 'with_detections' only frames in which something is."
        ),
    ] = "every_frame"
    batch_items: Annotated[int, Meta(ge=1, le=1000, description="A message goes when this many items wait.")] = 50
    batch_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="A message goes when its oldest item has waited this long.")
    ] = 1.0
    ledger_bytes: Annotated[
        int,
        Meta(
            ge=1 << 20,
            le=1 << 36,
            description="Disk the ledger may take; when it is full the oldest items go, counted as 'ledger_full'.",
        ),
    ] = 256 << 20
