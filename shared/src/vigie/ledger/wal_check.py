"""Does a write-ahead log hold commits that SQLite would leave out without a word? Read before SQLite opens it.

SQLite's recovery stops at the first frame whose checksum is wrong and goes on with what was before. After a kill that
is right: the rest was never committed. After damage it takes commits back. A frame behind an unsound commit tells the
two apart, for a kill tears the last frame only. Damage to the last commit looks like a kill in the middle of it;
``ledger.sent`` keeps a batch's number from being used again then.
Format: https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import struct
from pathlib import Path

_HEADER, _FRAME = 32, 24
_MAGIC = (0x377F0682, 0x377F0683)


def doubt(database: Path, wal: Path) -> str | None:
    """Why the pair cannot be trusted, None if it can. Raises: OSError."""
    content = wal.read_bytes() if wal.exists() else b""
    if len(content) < _HEADER:
        return None
    if not database.exists() or database.stat().st_size == 0:
        return "the database is empty beside a write-ahead log that is not"
    magic, _, page_bytes, _, salt_1, salt_2, sum_1, sum_2 = struct.unpack(">8I", content[:_HEADER])
    if magic not in _MAGIC or page_bytes not in {1 << bits for bits in range(9, 17)}:
        return "the write-ahead log has a damaged head"
    order = ">" if magic & 1 else "<"
    chain = _checksum(order, content[:24], (0, 0))
    if chain != (sum_1, sum_2):
        return "the write-ahead log has a damaged head"
    step, sound, bad_commit = _FRAME + page_bytes, True, False
    for at in range(_HEADER, len(content) - step + 1, step):
        _, commits, frame_1, frame_2, sum_1, sum_2 = struct.unpack(">6I", content[at : at + _FRAME])
        if sound:
            head = _checksum(order, content[at : at + 8], chain)
            chain = _checksum(order, content[at + _FRAME : at + step], head)
            sound = (frame_1, frame_2) == (salt_1, salt_2) and chain == (sum_1, sum_2)
        # One salt is enough: the other may be what is damaged. Frames of a former use of the file have neither.
        if sound or (frame_1 != salt_1 and frame_2 != salt_2):
            continue
        if bad_commit:
            return "the write-ahead log is damaged before its end"
        bad_commit = bool(commits)
    return None


def _checksum(order: str, content: bytes, start: tuple[int, int]) -> tuple[int, int]:
    first, second = start
    for one, two in struct.iter_unpack(f"{order}2I", content):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second
