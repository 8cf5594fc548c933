"""A model file that somebody drops on the page: what the viewer asks whoever imports it, and what comes back.

One connection per file: a line with ``DroppedFile``; a line with ``DroppedAnswer`` whose ``reason`` is empty where the
file may come; its bytes; a line with ``DroppedAnswer``. Lines are JSON.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

SOCKET_NAME = "models.sock"
DROPPED_BYTES_MAX = 256 << 20
# The line of ``DroppedFile``: names of some thousand classes.
LINE_BYTES_MAX = 256 << 10


class ImportChoices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the person knows better than the evidence, as the options of ``models import`` say it.

    ``input``: channels and range, such as ``rgb/0..1``. ``size``: ``HEIGHTxWIDTH``.
    """

    family: Annotated[str, Meta(max_length=64)] | None = None
    input: Annotated[str, Meta(max_length=32)] | None = None
    align: Literal["centre", "top_left", "stretch"] | None = None
    size: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$")] | None = None
    labels: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=5000)] | None = None
    trust: bool = False


class DroppedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``name``: as the person's own machine calls it; only a cleaned part of it is ever used."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    bytes: Annotated[int, Meta(ge=1, le=DROPPED_BYTES_MAX)]
    choices: ImportChoices = ImportChoices()


class ImportConclusion(msgspec.Struct, frozen=True):
    """One conclusion of import: what was asked, what is the case, and from what that follows."""

    question: str
    answer: str
    because: str


class ImportedModel(msgspec.Struct, frozen=True):
    """``path``: the bundle's folder, for ``try_model``; ``confined``: what held while strange bytes were read."""

    name: str
    path: str
    sha256: str
    task: str
    family: str
    size: str
    labels: list[str]
    concluded: list[ImportConclusion]
    confined: list[str]


class DroppedAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """``reason`` says why it was refused, in words; ``families`` and ``inputs``: what the choices may be."""

    reason: str = ""
    imported: ImportedModel | None = None
    families: list[str] = []
    inputs: list[str] = []
