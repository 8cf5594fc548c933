"""Bodies of items and batches as they are stored: sealed with the device's key where it has one.

Sums are over what is stored, so whether a ledger is what was written can be told without the key. Keys of items, and
the names of cameras, stay readable: by them items are counted, folded and found again.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace

from vigie.ledger.rows import ITEMS, LedgerDamagedError, LedgerEntry, item_of
from vigie.sealing import ID_BYTES, MAGIC, BrokenSealError, Seals


def sealed(entry: LedgerEntry, seals: Seals) -> LedgerEntry:
    """As it is stored."""
    if seals.name is None:
        return entry
    return replace(entry, body=seals.close(entry.body, _of_item(entry)))


def unsealed(stored: LedgerEntry, seals: Seals) -> LedgerEntry:
    """As it was recorded. Raises: LedgerDamagedError. SealedError: its key is not here."""
    try:
        body = seals.open(stored.body, _of_item(stored))
    except BrokenSealError as error:
        raise LedgerDamagedError(f"item {stored.trace}: {error}") from None
    return stored if body is stored.body else replace(stored, body=body)


def sealed_batch(body: bytes, sent: int, seals: Seals) -> bytes:
    return seals.close(body, f"batch {sent}")


def unsealed_batch(stored: bytes, sent: int, seals: Seals) -> bytes:
    """Raises: LedgerDamagedError. SealedError: its key is not here."""
    try:
        return seals.open(stored, f"batch {sent}")
    except BrokenSealError as error:
        raise LedgerDamagedError(f"batch {sent}: {error}") from None


def check_keys(db: sqlite3.Connection, seals: Seals) -> None:
    """Raises: SealedError: something in the ledger needs a key that is not here.

    Items that are not what was written, which a large ledger finds out later, ask for no key.
    """
    for (first,) in db.execute(
        "SELECT min(id) FROM items WHERE substr(body, 1, ?) = ? GROUP BY substr(body, ?, ?)",
        (len(MAGIC), MAGIC, len(MAGIC) + 1, ID_BYTES),
    ).fetchall():
        with contextlib.suppress(LedgerDamagedError):
            unsealed(item_of(db.execute(f"{ITEMS} WHERE id = ?", (first,)).fetchone())[1], seals)
    for sent, body in db.execute("SELECT sent, body FROM batches WHERE substr(body, 1, ?) = ?", (len(MAGIC), MAGIC)):
        with contextlib.suppress(LedgerDamagedError):
            unsealed_batch(body, sent, seals)


def _of_item(entry: LedgerEntry) -> str:
    return f"{entry.camera}\n{entry.trace}"
