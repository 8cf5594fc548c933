"""Chosen files on a device's disk, for the module that takes them to the cloud: ``<name>.json`` beside each.

The facts are written last, so a file that has them is whole. Both lie in the camera module's folder of evidence
(``VIGIE_EVIDENCE``) until they are too old or too many; the evidence module mounts it read-only and copies what it
takes. No other pictures are there: who reads this folder sees what was chosen and nothing else.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.contracts.events import Phase, Severity
from vigie.contracts.samples import Sample, Sha256

FACTS_SUFFIX = ".json"

Kind = Literal["snapshot", "clip", "sample"]
# Part of a blob's name and of a file's: the device makes it of the camera, the time and a number.
EvidenceName = Annotated[str, Meta(pattern="^[a-z0-9][A-Za-z0-9_.-]{0,150}$")]
EvidenceFile = Annotated[str, Meta(pattern=r"^[a-z0-9][A-Za-z0-9_.-]{0,150}\.(jpg|mp4)$")]
Box = tuple[float, float, float, float]


class About(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The event that it is evidence of: names and values as the event has them."""

    key: str
    id: str
    type: str
    phase: Phase
    severity: Severity = "event"
    label: str | None = None
    zone: str | None = None
    line: str | None = None


class EvidenceFacts(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="schema", tag="vigie.evidence/1"
):
    """One chosen file. ``at``: when its frame, or its first frame, was captured (UTC); ``trace`` of that frame.

    ``boxed``: boxes and labels are drawn into it. ``hidden``: rectangles that were blurred, in pixels of ``frame_hw``,
    which the camera's ``blur`` asks for; privacy masks are in the pixels already. ``seconds``: how long a clip is.
    ``about``: None for a sample.
    """

    name: EvidenceName
    kind: Kind
    file: EvidenceFile
    bytes: Annotated[int, Meta(ge=1)]
    sha256: Sha256
    camera: str
    at: str
    frame_hw: tuple[int, int]
    trace: str = ""
    boxed: bool = False
    hidden: tuple[Box, ...] = ()
    seconds: float | None = None
    about: About | None = None
    sample: Sample | None = None

    @property
    def content_type(self) -> str:
        return "video/mp4" if self.file.endswith(".mp4") else "image/jpeg"
