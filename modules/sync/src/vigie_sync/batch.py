"""One upstream message, as bytes: made once, stored, and sent again unchanged until it is acknowledged."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from vigie.contracts.envelope import TELEMETRY, EnvelopeHead

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


def fitting(item_bytes: list[int], room_bytes: int) -> int:
    """How many of the first items fit ``room_bytes`` together, with a comma between them; at least one."""
    taken = used = 0
    for size in item_bytes:
        used += size + 1
        if taken and used > room_bytes:
            break
        taken += 1
    return taken


def encode(module: str, ledger: str, sent: int, items: list[bytes]) -> bytes:
    """The envelope of ``items``, which are JSON already.

    ``boot`` is the ledger's id, not the process's: the ledger's numbers go on over restarts, so the cloud finds a gap.
    """
    head = _encoder.encode(EnvelopeHead(str(TELEMETRY), module, ledger, sent))
    return head[:-1] + b',"items":[' + b",".join(items) + b"]}"


def head_bytes(module: str, ledger: str, sent: int) -> int:
    """What ``encode`` adds to its items."""
    return len(encode(module, ledger, sent, []))
