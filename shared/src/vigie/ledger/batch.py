"""One upstream message, as bytes: made once, stored, and sent again unchanged until it is acknowledged."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from vigie.contracts.envelope import EVENTS, TELEMETRY, EnvelopeHead, Schema
from vigie.events.moment import KEY

# An item this large would leave no room for the envelope; sync drops it, counted, before it is recorded.
ITEM_LIMIT_BYTES = 240_000

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Batch:
    """``sent`` counts the messages of this ledger from 1; ``items`` is how many are in ``body``."""

    ledger: str
    sent: int
    items: int
    body: bytes

    @property
    def message_id(self) -> str:
        """The idempotency key of the message: the same over restarts and retries."""
        return message_id(self.ledger, self.sent)


def message_id(ledger: str, sent: int) -> str:
    """Names message ``sent`` of a ledger."""
    return f"{ledger}-{sent}"


def schema_of(trace: str) -> Schema:
    """What the item with this idempotency key is; a message holds items of one schema."""
    return EVENTS if trace.startswith(KEY) else TELEMETRY


def fitting(sized: list[tuple[int, str]], room_bytes: int) -> int:
    """How many of the first items, given as length and key, are of one schema and fit ``room_bytes``; at least one.

    There is a comma between them.
    """
    taken = used = 0
    for size, key in sized:
        used += size + 1
        if taken and (used > room_bytes or schema_of(key) != schema_of(sized[0][1])):
            break
        taken += 1
    return taken


def encode(schema: Schema, module: str, ledger: str, sent: int, items: list[bytes]) -> bytes:
    """The envelope of ``items``, which are JSON already.

    ``boot`` is the ledger's id, not the process's: the ledger's numbers go on over restarts, so the cloud finds a gap.
    """
    head = _encoder.encode(EnvelopeHead(str(schema), module, ledger, sent))
    return head[:-1] + b',"items":[' + b",".join(items) + b"]}"


def head_bytes(module: str, ledger: str, sent: int) -> int:
    """What ``encode`` adds to its items."""
    return len(encode(TELEMETRY, module, ledger, sent, []))
