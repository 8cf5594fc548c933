"""What may wait how long and how much of it: per priority, from the twin. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from vigie.ledger.priorities import Priority

Policy = Literal["drop_oldest", "reject_new", "aggregate"]


class Drop(StrEnum):
    """Why an item never reaches the cloud as it was recorded."""

    LEDGER_FULL = "ledger_full"
    OVER_BOUND = "over_bound"
    REJECTED = "rejected"
    EXPIRED = "too_old"
    FOLDED = "folded"
    PURGED = "purged"


class Dropped(NamedTuple):
    """What was dropped is counted by."""

    camera: str
    reason: Drop
    priority: Priority


class Bounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of the items of one priority that wait. Without bounds only `ledger_bytes` holds."""

    ttl_seconds: (
        Annotated[int, Meta(ge=1, le=31_622_400, description="An item that has waited longer is not sent any more.")]
        | None
    ) = None
    bytes_max: (
        Annotated[int, Meta(ge=4096, le=1 << 36, description="Bytes of items that may wait; a page holds less.")] | None
    ) = None
    policy: Annotated[
        Policy,
        Meta(
            description="Past a bound: 'drop_oldest'; 'reject_new' (an item past its time goes all the same); or "
            "'aggregate': the oldest become counts, one item per camera."
        ),
    ] = "drop_oldest"


class OutboxBounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bounds by priority. Alerts go before events, those before counts, those before boxes."""

    alert: Bounds = Bounds()
    event: Bounds = Bounds()
    aggregate: Bounds = Bounds()
    detections: Bounds = Bounds()

    def of(self, priority: Priority) -> Bounds:
        """Those of ``priority``."""
        found: Bounds = getattr(self, priority.word)
        return found


Durability = Literal["process_crash", "power_loss"]


class LedgerRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the twin says of the ledger."""

    bounds: OutboxBounds = OutboxBounds()
    durability: Durability = "process_crash"
