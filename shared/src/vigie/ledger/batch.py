"""One upstream message, as bytes: made once, stored, and sent again unchanged until it is acknowledged."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

import msgspec

from vigie.contracts.envelope import CONTENT_ENCODING, EVENTS, TELEMETRY, EnvelopeHead, Schema
from vigie.events.moment import KEY

# An item this large would leave no room for the envelope; sync drops it, counted, before it is recorded.
ITEM_LIMIT_BYTES = 240_000
GZIP = "gzip"
_GZIP_MAGIC = b"\x1f\x8b"
_LEVEL = 6

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

    @property
    def encoding(self) -> str:
        """The message's ``contentEncoding``: of what was stored, whatever the twin says now. No JSON begins so."""
        return GZIP if self.body.startswith(_GZIP_MAGIC) else CONTENT_ENCODING

    @property
    def json(self) -> bytes:
        """The envelope. Raises: OSError, EOFError, zlib.error: not what ``encode`` made."""
        return gzip.decompress(self.body) if self.encoding == GZIP else self.body


def message_id(ledger: str, sent: int) -> str:
    """Names message ``sent`` of a ledger."""
    return f"{ledger}-{sent}"


def schema_of(trace: str) -> Schema:
    """What the item with this idempotency key is; a message holds items of one schema."""
    return EVENTS if trace.startswith(KEY) else TELEMETRY


def encode(schema: Schema, module: str, ledger: str, sent: int, items: list[bytes]) -> bytes:
    """The envelope of ``items``, which are JSON already.

    ``boot`` is the ledger's id, not the process's: the ledger's numbers go on over restarts, so the cloud finds a gap.
    """
    head = _encoder.encode(EnvelopeHead(str(schema), module, ledger, sent))
    return head[:-1] + b',"items":[' + b",".join(items) + b"]}"


def compressed(body: bytes) -> bytes:
    """The same bytes for the same body."""
    return gzip.compress(body, _LEVEL, mtime=0)


def head_bytes(module: str, ledger: str, sent: int) -> int:
    """What ``encode`` adds to its items."""
    return len(encode(TELEMETRY, module, ledger, sent, []))
