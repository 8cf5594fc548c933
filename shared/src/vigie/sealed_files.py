"""Files too large for memory, sealed with the device's key: records of at most 1 MiB, bound to their place.

A mark of four bytes, then for each record its length (4 bytes, little-endian) and the record (``vigie.sealing``). The
last one is bound to being the last, so that a file that was cut off does not open as a shorter one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
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


def _record(chunk: bytes, about: str, number: int, seals: Seals, *, last: bool) -> bytes:
    record = seals.close(chunk, _place(about, number, last=last))
    return _LENGTH.pack(len(record)) + record


def _place(about: str, number: int, *, last: bool) -> str:
    return f"{about}/{number}/{'last' if last else 'more'}"
