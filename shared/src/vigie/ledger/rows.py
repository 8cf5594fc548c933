"""The ledger's tables and the sum that each row carries: what was not written so is found."""

from __future__ import annotations

import sqlite3
import zlib
from dataclasses import dataclass
from typing import Any

import msgspec

from vigie.ledger.priorities import RANGE, Priority

VERSION = 3

# ``items.at``: milliseconds of the ledger's age (age_clock.py). ``totals``: bytes that wait, by priority.
SCHEMA = """
CREATE TABLE meta(ledger TEXT NOT NULL, dropped INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE items(id INTEGER PRIMARY KEY, trace TEXT NOT NULL, camera TEXT NOT NULL, body BLOB NOT NULL, sum INTEGER,
    at INTEGER);
CREATE TABLE batches(sent INTEGER PRIMARY KEY, items INTEGER NOT NULL, traces BLOB NOT NULL, body BLOB,
    traces_sum INTEGER, body_sum INTEGER);
"""
# What version 3 has beside the tables of version 2.
BESIDE = """
CREATE TABLE age(age_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL);
INSERT INTO age VALUES (0, 0);
CREATE TABLE totals(priority INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
CREATE TABLE drops(reason TEXT NOT NULL, priority INTEGER NOT NULL, items INTEGER NOT NULL,
    PRIMARY KEY(reason, priority));
CREATE TABLE spent(day TEXT NOT NULL, messages INTEGER NOT NULL, pieces INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO spent VALUES ('', 0, 0, 0);
"""
# A ledger of version 1 has rows without sums: they are taken as they are, once.
FROM_1 = """
ALTER TABLE meta ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN sum INTEGER;
ALTER TABLE batches ADD COLUMN traces_sum INTEGER;
ALTER TABLE batches ADD COLUMN body_sum INTEGER;
"""
# Rows of version 2 keep their numbers and sums until they are moved to their priorities (migrate.py).
FROM_2 = f"ALTER TABLE items ADD COLUMN at INTEGER;{BESIDE}"


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
class LedgerEntry:
    """One item to record; ``trace`` is its idempotency key, ``body`` its JSON."""

    trace: str
    camera: str
    body: bytes
    priority: Priority = Priority.DETECTIONS

    @property
    def size(self) -> int:
        """Bytes that it counts with against the bounds of its priority."""
        return len(self.body) + len(self.trace) + len(self.camera)


ITEMS = "SELECT id, trace, camera, body, sum, at FROM items"
# In the key of an item that stands for several.
FOLDED = "/to/"


def row_of(number: int, entry: LedgerEntry, at_ms: int) -> tuple[Any, ...]:
    """As it is inserted."""
    total = checksum(number, at_ms, entry.trace, entry.camera, entry.body)
    return number, entry.trace, entry.camera, entry.body, total, at_ms


def compare(what: str, total: object, *fields: str | bytes | int) -> None:
    if total != checksum(*fields):
        raise LedgerDamagedError(f"{what} is not what was written")


def item_of(row: tuple[Any, ...]) -> tuple[int, LedgerEntry]:
    """A row of ``ITEMS`` as it was written. Raises: LedgerDamagedError."""
    number, trace, camera, body, total, at = row
    # A flipped bit can turn text into bytes, which have the same sum.
    if not (isinstance(trace, str) and isinstance(camera, str) and isinstance(body, bytes)):
        raise LedgerDamagedError(f"item {number} is not what was written")
    if number < RANGE:  # version 2
        compare(f"item {number}", total, number, trace, camera, body)
        return number, LedgerEntry(trace, camera, body)
    compare(f"item {number}", total, number, at, trace, camera, body)
    try:
        return number, LedgerEntry(trace, camera, body, Priority(number // RANGE))
    except ValueError:
        raise LedgerDamagedError(f"item {number} has no priority that there is") from None


UNREADABLE = (LedgerDamagedError, sqlite3.Error, msgspec.MsgspecError, UnicodeDecodeError, TypeError)
