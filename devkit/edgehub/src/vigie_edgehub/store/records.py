"""The log's records: what one looks like on disk, and how far a file can be believed.

A file is `MAGIC`, then records: length and CRC-32 of what follows (little endian), one kind byte, the
payload. A record that was cut short or does not match its sum ends the file: nothing after it has a
boundary. Layout version 1 is part of `MAGIC`; a file with another one is refused, not guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from zlib import crc32

import msgspec

from vigie_edgehub.message import Message, Target

MAGIC = b"VHUBLOG1"
PUT = 1
SETTLE = 2
_HEAD = Struct("<II")
_SEQ = Struct("<Q")
HEAD_BYTES = _HEAD.size + 1


class Put(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A message and who still needs it."""

    seq: int
    size: int
    targets: list[Target]
    message: Message


class Settled(msgspec.Struct, frozen=True, gc=False):
    seq: int
    endpoint: str


class Found(msgspec.Struct, frozen=True, gc=False):
    """A whole record at ``offset`` of its file; ``length`` with its head."""

    offset: int
    length: int
    record: Put | Settled


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Put)


def encode_put(put: Put) -> bytes:
    return _framed(PUT, _encoder.encode(put))


def encode_settled(seq: int, endpoint: str) -> bytes:
    return _framed(SETTLE, _SEQ.pack(seq) + endpoint.encode())


def decode_put(framed: bytes) -> Put:
    """One record as `encode_put` made it. Raises: ValueError: damaged."""
    if len(framed) < HEAD_BYTES or framed[_HEAD.size] != PUT:
        raise ValueError("no message record")
    length, checksum = _HEAD.unpack_from(framed)
    body = framed[_HEAD.size :]
    if length != len(body) or crc32(body) != checksum:
        raise ValueError("message record does not match its checksum")
    return _decoder.decode(memoryview(body)[1:])


def scan(content: bytes) -> Iterator[Found]:
    """Every whole record after `MAGIC`, up to the first that is not. Raises: ValueError: not such a file."""
    if not content:
        return  # created, and killed before its first write
    if content[: len(MAGIC)] != MAGIC[: len(content)]:
        raise ValueError(f"starts with {content[:8]!r}, expected {MAGIC!r}")
    offset = len(MAGIC)
    view = memoryview(content)
    while offset + HEAD_BYTES <= len(content):
        length, checksum = _HEAD.unpack_from(content, offset)
        end = offset + _HEAD.size + length
        body = view[offset + _HEAD.size : end]
        if not length or end > len(content) or crc32(body) != checksum:
            return
        record = _record(body)
        if record is None:
            return
        yield Found(offset, end - offset, record)
        offset = end


def _record(body: memoryview) -> Put | Settled | None:
    try:
        if body[0] == PUT:
            return _decoder.decode(body[1:])
        if body[0] == SETTLE:
            return Settled(_SEQ.unpack_from(body, 1)[0], bytes(body[1 + _SEQ.size :]).decode())
    except (msgspec.MsgspecError, ValueError, IndexError):
        pass
    return None


def _framed(kind: int, payload: bytes) -> bytes:
    body = bytes((kind,)) + payload
    return _HEAD.pack(len(body), crc32(body)) + body
