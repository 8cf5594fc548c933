"""The envelope that every message between modules travels in.

``items`` is always a list, so one message carries one reference or many: under light load one frame a message,
under heavy load the batch grows by itself (docs/decisions/0002-send-on-progress.md).
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from vigie.errors import MessageRefusedError

T = TypeVar("T")

CONTENT_TYPE = "application/json"
CONTENT_ENCODING = "utf-8"

# edgeHub refuses above this: body plus the keys and values of all properties (edgeHub RoutingEdgeHub size check).
MESSAGE_LIMIT_BYTES = 262_144


class Schema(msgspec.Struct, frozen=True):
    """Name and version of what ``items`` holds, written ``vigie.frames/1`` on the wire."""

    name: str
    version: int

    def __str__(self) -> str:
        """The wire form."""
        return f"{self.name}/{self.version}"

    @classmethod
    def parse(cls, text: str) -> Schema:
        """Read the wire form.

        Raises: MessageRefusedError: not ``name/version``.
        """
        name, _, version = text.rpartition("/")
        if not name or not version.isdigit():
            raise MessageRefusedError("$.schema", f"expected 'name/version', got {text[:80]!r}")
        return cls(name, int(version))


class Envelope(msgspec.Struct, Generic[T], frozen=True):
    """One message between modules.

    ``boot`` names the sender's process start and ``sent`` counts its messages on this output from 1: together they
    order messages, find duplicates, and are what a consumer's cursor counts. ``after`` is the number that went before
    on the same way (route or doorbell); absent: ``sent - 1``.
    Unknown members are ignored on reading, so that version N+1 may add fields that N does not know.
    """

    schema: str
    module: str
    boot: str
    sent: int
    items: list[T]
    after: int | None = None


class EnvelopeHead(msgspec.Struct, frozen=True):
    """The envelope without its items: read first, so that a newer schema is refused by version, not by shape."""

    schema: str
    module: str
    boot: str
    sent: int


FRAMES = Schema("vigie.frames", 1)
TENSORS = Schema("vigie.tensors", 1)
DETECTIONS = Schema("vigie.detections", 1)
TELEMETRY = Schema("vigie.telemetry", 1)
EVENTS = Schema("vigie.events", 1)
INPUT_SPEC = Schema("vigie.inputspec", 1)
CREDIT = Schema("vigie.credit", 1)
DEMAND = Schema("vigie.demand", 1)
STATUS = Schema("vigie.status", 1)
TOLD = Schema("vigie.told", 1)
BLUR = Schema("vigie.blur", 1)
KEEP = Schema("vigie.keep", 1)
AUDIT = Schema("vigie.audit", 1)


def check_schema(wire: str, expected: Schema) -> None:
    """Accept version N and N-1 of the expected schema: IoT Edge updates modules one at a time.

    Raises: MessageRefusedError: another schema, or a version too new or too old, with what to update.
    """
    got = Schema.parse(wire)
    if got.name != expected.name:
        raise MessageRefusedError(
            "$.schema", f"expected {expected.name}, got {got.name}; check the routes of the manifest"
        )
    if got.version > expected.version:
        raise MessageRefusedError(
            "$.schema",
            f"version {got.version} is newer than {expected.version}, which this module reads; update this module",
        )
    if got.version < max(1, expected.version - 1):
        raise MessageRefusedError(
            "$.schema",
            f"version {got.version} is older than {expected.version - 1}, which this module reads; update the sender",
        )
