"""The ledger's tables and the sum that each row carries: what was not written so is found."""

from __future__ import annotations

import sqlite3
import zlib
from dataclasses import dataclass
from typing import Any

import msgspec

SCHEMA = """
CREATE TABLE meta(ledger TEXT NOT NULL, dropped INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE items(id INTEGER PRIMARY KEY, trace TEXT NOT NULL, camera TEXT NOT NULL, body BLOB NOT NULL, sum INTEGER);
CREATE TABLE batches(sent INTEGER PRIMARY KEY, items INTEGER NOT NULL, traces BLOB NOT NULL, body BLOB,
    traces_sum INTEGER, body_sum INTEGER);
"""
# A ledger of version 1 has rows without sums: they are taken as they are, once.
FROM_1 = """
ALTER TABLE meta ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN sum INTEGER;
ALTER TABLE batches ADD COLUMN traces_sum INTEGER;
ALTER TABLE batches ADD COLUMN body_sum INTEGER;
"""


class LedgerDamagedError(Exception):
    """The file's content is not what was written; the text says what was found."""


def checksum(*fields: str | bytes | int) -> int:
    """CRC-32 over fields with their lengths: a flipped bit, a moved border or another row is another sum."""
    total = 0
    for one in fields:
        encoded = one if isinstance(one, bytes) else str(one).encode("utf-8", "surrogatepass")
        total = zlib.crc32(encoded, zlib.crc32(len(encoded).to_bytes(8, "big"), total))
    return total


@dataclass(frozen=True, slots=True)
class Entry:
    """One item to record; ``trace`` is its idempotency key, ``body`` its JSON."""

    trace: str
    camera: str
    body: bytes


ITEMS = "SELECT id, trace, camera, body, sum FROM items"


def compare(what: str, total: object, *fields: str | bytes | int) -> None:
    if total != checksum(*fields):
        raise LedgerDamagedError(f"{what} is not what was written")


def item_of(row: tuple[Any, ...]) -> tuple[int, Entry]:
    """A row of ``ITEMS`` as it was written. Raises: LedgerDamagedError."""
    number, trace, camera, body, total = row
    # A flipped bit can turn text into bytes, which have the same sum.
    if not (isinstance(trace, str) and isinstance(camera, str) and isinstance(body, bytes)):
        raise LedgerDamagedError(f"item {number} is not what was written")
    compare(f"item {number}", total, number, trace, camera, body)
    return number, Entry(trace, camera, body)


UNREADABLE = (LedgerDamagedError, sqlite3.Error, msgspec.MsgspecError, UnicodeDecodeError, TypeError)
