"""What inference tells sync of a frame in which two models saw different things: it may be a sample for training.

Goes where model events go. Nobody records it; a sync that takes no such samples forgets it.
"""

from __future__ import annotations

import msgspec

from vigie.contracts.detections import Detection
from vigie.contracts.evidence import Box


class Disagreement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="disagreement"):
    """Of frame ``seq`` of ``camera``. ``found``: of ``model``, which serves; ``other``: of the one on trial.

    ``at``: when the frame was captured. ``blur``: as in DetectionsItem.
    """

    camera: str
    seq: int
    trace: str
    at: str
    model: str
    found: tuple[Detection, ...]
    other: tuple[Detection, ...]
    blur: tuple[Box, ...] | msgspec.UnsetType | None = msgspec.UNSET
