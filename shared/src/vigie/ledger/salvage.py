"""What can be saved of a damaged ledger."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import msgspec

from vigie.ledger.rows import ITEMS, UNREADABLE, Entry, LedgerDamagedError, checksum, item_of


class _Sent(msgspec.Struct):
    items: list[msgspec.Raw]


class _SentItem(msgspec.Struct):
    trace: str
    camera: str
    key: str | None = None


def salvage(path: Path) -> list[Entry]:
    """The items of a damaged file that are what was written, in their order, those of the batch on its way first.

    ``path`` is a copy that may be changed. Never raises for what it finds: the rest of the file is lost.
    """
    db = sqlite3.connect(path, isolation_level=None)
    saved: dict[int, Entry] = {}
    first: list[Entry] = []
    try:
        with contextlib.suppress(*UNREADABLE):
            for sent, items, body, total in db.execute(
                "SELECT sent, items, body, body_sum FROM batches WHERE body IS NOT NULL ORDER BY sent"
            ):
                if total == checksum(sent, items, body):
                    for item in msgspec.json.decode(body, type=_Sent).items:
                        one = msgspec.json.decode(item, type=_SentItem)
                        first.append(Entry(one.key or one.trace, one.camera, bytes(item)))
        # From both ends: reading stops at a page that cannot be read.
        for order in ("ASC", "DESC"):
            with contextlib.suppress(*UNREADABLE):
                for row in db.execute(f"{ITEMS} ORDER BY id {order}"):
                    with contextlib.suppress(LedgerDamagedError):
                        number, entry = item_of(row)
                        saved[number] = entry
    finally:
        db.close()
    return first + [saved[number] for number in sorted(saved)]
