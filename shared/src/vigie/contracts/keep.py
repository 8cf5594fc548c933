"""What sync asks the camera module to keep: the very frame that shows an event, the best so far, or a clip.

Sync has no pixels and camera no detections; a request says what is to be drawn and what must be unrecognisable. A
frame stays in the camera's ring for some tenths of a second: one that is gone by then is not kept, which is counted.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.contracts.detections import Detection
from vigie.contracts.evidence import About, Box, EvidenceName
from vigie.contracts.samples import Reason

Style = Literal["plain", "boxes"]


class OfSample(msgspec.Struct, frozen=True, kw_only=True):
    """Why a frame is a sample, and of which model. ``other``: what a second model saw, where they disagree."""

    model: str
    reasons: tuple[Reason, ...]
    other: tuple[Detection, ...] | None = None


class KeepPicture(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="picture"):
    """Frame ``seq`` of ``camera``, whose ``trace`` has to be this.

    ``boxes``: drawn in style ``boxes``; also a sample's detections. ``blur``: as in DetectionsItem, of this frame.
    ``hold``: keep it in memory under this word, instead of the one before, until ``KeepHeld``; absent: write it now.
    """

    name: EvidenceName
    camera: str
    seq: int
    trace: str
    at: str
    boxes: tuple[Detection, ...] = ()
    blur: tuple[Box, ...] | msgspec.UnsetType | None = msgspec.UNSET
    styles: Annotated[tuple[Style, ...], Meta(min_length=1)] = ("plain",)
    about: About | None = None
    hold: str | None = None
    sample: OfSample | None = None


class KeepHeld(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="held"):
    """Write what is held under ``hold``: it was the best. ``about`` None: forget it."""

    hold: str
    name: EvidenceName
    camera: str
    about: About | None = None


class KeepClip(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="clip"):
    """What ``camera`` sent from ``before_s`` before to ``after_s`` after this message."""

    name: EvidenceName
    camera: str
    about: About
    before_s: Annotated[float, Meta(ge=0, le=120)]
    after_s: Annotated[float, Meta(ge=0, le=20)]


KeepItem = KeepPicture | KeepHeld | KeepClip
