"""What goes first: alerts, events, counts, boxes. A row's number in the ledger begins with its priority."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from vigie.events.moment import KEY

# Below it a row's number counts within its priority. Numbers below one such range are of version 2, which had none.
RANGE = 1 << 48


class Priority(IntEnum):
    """The smaller number goes first."""

    ALERT = 1
    EVENT = 2
    AGGREGATE = 3
    DETECTIONS = 4

    @property
    def word(self) -> str:
        """As in the twin, in metrics and in replies."""
        return self.name.lower()

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last number that a row of this priority can have."""
        return self * RANGE + 1, (self + 1) * RANGE - 1


class _Item(msgspec.Struct):
    type: str = ""
    severity: str = "event"


_decoder = msgspec.json.Decoder(_Item)


def priority_of(key: str, body: bytes) -> Priority:
    """Of an item whose row does not say it: of version 2, or out of a message. Raises: msgspec.MsgspecError."""
    if not key.startswith(KEY):
        return Priority.DETECTIONS
    item = _decoder.decode(body)
    return priority(item.type, item.severity)


def priority(kind: str, severity: str) -> Priority:
    """Of an event: ``kind`` is its type."""
    if severity == "alert":
        return Priority.ALERT
    return Priority.AGGREGATE if kind == "aggregate" else Priority.EVENT
