"""What can be saved of a damaged ledger."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import msgspec

from vigie.ledger.batch import Batch
from vigie.ledger.priorities import RANGE, priority_of
from vigie.ledger.rows import ITEMS, UNREADABLE, LedgerDamagedError, LedgerEntry, checksum, item_of
from vigie.ledger.sealed import unsealed, unsealed_batch
from vigie.sealing import Seals


class _Sent(msgspec.Struct):
    items: list[msgspec.Raw]


class _SentItem(msgspec.Struct):
    trace: str
    camera: str
    key: str | None = None


def salvage(path: Path, seals: Seals | None = None) -> list[LedgerEntry]:
    """The items of a damaged file that are what was written, in their order, those of the batch on its way first.

    ``path`` is a copy that may be changed. Never raises for what it finds: the rest of the file is lost.
    Raises: SealedError: the key of something in it is not here.
    """
    seals = seals or Seals()
    db = sqlite3.connect(path, isolation_level=None)
    query = ITEMS
    with contextlib.suppress(*UNREADABLE):
        if "at" not in {row[1] for row in db.execute("PRAGMA table_info(items)")}:
            query = ITEMS.replace(", at", ", NULL")  # of version 2
    saved: dict[int, LedgerEntry] = {}
    first: list[LedgerEntry] = []
    try:
        with contextlib.suppress(*UNREADABLE):
            for sent, items, body, total in db.execute(
                "SELECT sent, items, body, body_sum FROM batches WHERE body IS NOT NULL ORDER BY sent"
            ):
                if total == checksum(sent, items, body):
                    plain = Batch("", sent, items, unsealed_batch(body, sent, seals))
                    for item in msgspec.json.decode(plain.json, type=_Sent).items:
                        one, content = msgspec.json.decode(item, type=_SentItem), bytes(item)
                        key = one.key or one.trace
                        first.append(LedgerEntry(key, one.camera, content, priority_of(key, content)))
        # From both ends: reading stops at a page that cannot be read.
        for order in ("ASC", "DESC"):
            with contextlib.suppress(*UNREADABLE):
                for row in db.execute(f"{query} ORDER BY id {order}"):
                    with contextlib.suppress(LedgerDamagedError):
                        number, stored = item_of(row)
                        entry = unsealed(stored, seals)
                        if number < RANGE:
                            entry = replace(entry, priority=priority_of(entry.trace, entry.body))
                        saved[number] = entry
    finally:
        db.close()
    return first + [saved[number] for number in sorted(saved)]
