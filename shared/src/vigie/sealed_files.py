"""Files too large for memory, sealed with the device's key: records of at most 1 MiB, bound to their place.

A mark of four bytes, then for each record its length (4 bytes, little-endian) and the record (``vigie.sealing``). The
last one is bound to being the last, so that a file that was cut off does not open as a shorter one.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from vigie.sealing import OVERHEAD_BYTES, BrokenSealError, Seals, is_sealed

FILE_MAGIC: Final = b"\x00VSF"
RECORD_BYTES: Final = 1 << 20
_LENGTH: Final = struct.Struct("<I")


def sealed_chunks(chunks: Iterable[bytes], about: str, seals: Seals) -> Iterator[bytes]:
    """``chunks``, each at most ``RECORD_BYTES``, as they go to the disk. ``about``: what the file is opened with."""
    if seals.name is None:
        yield from chunks
        return
    yield FILE_MAGIC
    number, held = 0, b""
    for chunk in chunks:
        if held:
            yield _record(held, about, number, seals, last=False)
            number += 1
        held = chunk
    yield _record(held, about, number, seals, last=True)


def opened_chunks(file: BinaryIO, about: str, seals: Seals) -> Iterator[bytes]:
    """What was sealed, piece by piece; a file in the clear as it is. Trust nothing of it before the last piece came.

    Raises: SealedError: the key is not here. BrokenSealError: not what was sealed, or cut off. OSError.
    """
    begin = file.read(len(FILE_MAGIC))
    if begin != FILE_MAGIC:
        yield begin
        while chunk := file.read(RECORD_BYTES):
            yield chunk
        return
    number, head = 0, file.read(_LENGTH.size)
    while head:
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else RECORD_BYTES + OVERHEAD_BYTES + 1
        record = file.read(length) if length <= RECORD_BYTES + OVERHEAD_BYTES else b""
        head = file.read(_LENGTH.size)
        if len(record) != length or not is_sealed(
            record
        ):  # what is in the clear was not put here by who sealed the rest
            raise BrokenSealError("a sealed file is cut off or damaged")
        yield seals.open(record, _place(about, number, last=not head))
        number += 1
    if not number:
        raise BrokenSealError("a sealed file is cut off")


def opened_part(file: BinaryIO, about: str, seals: Seals, *, size: int, at: int, length: int) -> bytes:
    """``length`` bytes from ``at`` on, of ``size`` that were sealed in ``whole_records``; a file in the clear as it is.

    Opens only the records that they are in: proof of these bytes and their place, not of the rest.
    Raises: SealedError: the key is not here. BrokenSealError: not what was sealed, or cut off. OSError.
    """
    if file.read(len(FILE_MAGIC)) != FILE_MAGIC:
        file.seek(at)
        part = file.read(length)
    else:
        step, last = _LENGTH.size + OVERHEAD_BYTES + RECORD_BYTES, max(0, size - 1) // RECORD_BYTES
        first, pieces = at // RECORD_BYTES, []
        file.seek(len(FILE_MAGIC) + first * step)
        for number in range(first, min(last, (at + length - 1) // RECORD_BYTES) + 1):
            stored = file.read(step)
            record = stored[_LENGTH.size :]
            if stored[: _LENGTH.size] != _LENGTH.pack(len(record)) or not is_sealed(record):
                raise BrokenSealError("a sealed file is cut off or damaged")
            pieces.append(seals.open(record, _place(about, number, last=number == last)))
        part = b"".join(pieces)[at - first * RECORD_BYTES :][:length]
    if len(part) != length:
        raise BrokenSealError(f"a file ends after {at + len(part)} bytes")
    return part


class Checksum:
    """Length and SHA-256 of the content that went through ``of``, whatever lies on the disk."""

    def __init__(self) -> None:
        self.length, self._digest = 0, hashlib.sha256()

    def of(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._digest.update(piece)
            self.length += len(piece)
            yield piece

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def whole_records(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """``pieces`` of any size as chunks of ``RECORD_BYTES``, the last one what is left."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) > RECORD_BYTES:
            yield bytes(held[:RECORD_BYTES])
            del held[:RECORD_BYTES]
    yield bytes(held)


def sealed_bytes(size: int) -> int:
    """How long a file of ``size`` bytes is when it is sealed in ``whole_records``."""
    records = max(1, -(-size // RECORD_BYTES))
    return len(FILE_MAGIC) + size + records * (_LENGTH.size + OVERHEAD_BYTES)


def is_sealed_file(path: Path) -> bool:
    """Raises: OSError."""
    with path.open("rb") as file:
        return file.read(len(FILE_MAGIC)) == FILE_MAGIC


def check_key(path: Path, about: str, seals: Seals) -> None:
    """Raises: SealedError: the file is sealed, and its key is not here. OSError.

    Looks at the first record only, and says nothing of damage.
    """
    with path.open("rb") as file:
        if file.read(len(FILE_MAGIC)) != FILE_MAGIC:
            return
        head = file.read(_LENGTH.size)
        record = (
            file.read(min(_LENGTH.unpack(head)[0], RECORD_BYTES + OVERHEAD_BYTES)) if len(head) == _LENGTH.size else b""
        )
        more = bool(file.read(1))
    if is_sealed(record) and len(record) >= OVERHEAD_BYTES and not seals.knows(record):
        seals.open(record, _place(about, 0, last=not more))


def _record(chunk: bytes, about: str, number: int, seals: Seals, *, last: bool) -> bytes:
    record = seals.close(chunk, _place(about, number, last=last))
    return _LENGTH.pack(len(record)) + record


def _place(about: str, number: int, *, last: bool) -> str:
    return f"{about}/{number}/{'last' if last else 'more'}"
