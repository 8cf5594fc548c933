"""Desired properties of the sync module."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.events.evidence import EvidenceSettings
from vigie.events.sampling import Sampling
from vigie.events.settings import CameraRules, EventSettings, Name
from vigie.ledger.bounds import Durability, LedgerRules, OutboxBounds
from vigie_sync.sending import Sending

Report = Literal["every_frame", "with_detections"]
CAMERAS_MAX = 64


Upstream = Literal["events", "detections", "both"]


class SyncConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is recorded, how it is batched for the cloud, and how much disk the ledger may take."""

    upstream: Annotated[
        Upstream,
        Meta(
            description="'events': objects, zones, lines and counts; 'detections': the boxes of every frame; or 'both'."
        ),
    ] = "events"
    events: EventSettings = EventSettings()
    cameras: Annotated[
        dict[Name, CameraRules],
        Meta(max_length=CAMERAS_MAX, description="Zones and lines of cameras, by the camera's name."),
    ] = {}
    evidence: EvidenceSettings = EvidenceSettings()
    sampling: Sampling = Sampling()
    report: Annotated[
        Report,
        Meta(description="Of detections: 'every_frame' has empty frames too; 'with_detections' only frames with some."),
    ] = "every_frame"
    batch_items: Annotated[int, Meta(ge=1, le=1000, description="A message goes when this many items wait.")] = 50
    batch_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="A message goes when its oldest item has waited this long; objects alone wait ten times.",
        ),
    ] = 1.0
    ledger_bytes: Annotated[
        int,
        Meta(
            ge=1 << 20,
            le=1 << 36,
            description="Disk the ledger may take; when it is full the oldest items of the lowest priority go, counted "
            "as 'ledger_full'.",
        ),
    ] = 256 << 20
    outbox: OutboxBounds = OutboxBounds()
    sending: Sending = Sending()
    durability: Annotated[
        Durability,
        Meta(
            description="What a recorded item survives: 'process_crash' (of a power loss all but the last second), or "
            "'power_loss': every commit waits for the disk."
        ),
    ] = "process_crash"

    @property
    def ledger_rules(self) -> LedgerRules:
        """What the ledger is to do with it."""
        return LedgerRules(bounds=self.outbox, durability=self.durability)
