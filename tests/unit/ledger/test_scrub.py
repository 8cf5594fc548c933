"""A ledger too large to be compared at start is compared while it works."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from vigie.ledger.ledger import Ledger
from vigie.ledger.priorities import Priority
from vigie.ledger.rows import LedgerDamagedError, LedgerEntry

NO_LIMIT = 1 << 40
COUNT = 1_200


def filled(folder: Path) -> Path:
    path = folder / "ledger.db"
    ledger = Ledger(path)
    ledger.record([LedgerEntry(f"dock-{n}", "dock", b'{"seq":%d}' % n) for n in range(COUNT)], NO_LIMIT)
    ledger.record([LedgerEntry("event/a/end/b", "dock", b"{}", Priority.ALERT)], NO_LIMIT)
    ledger.close()
    return path


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(statement, (Priority.DETECTIONS.span[0] + COUNT - 10,))
    db.close()


def settled(path: Path) -> Ledger:
    ledger = Ledger(path, verify_at_once_bytes=0)
    for _ in range(10):
        ledger.settle()
    return ledger


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE items SET body = X'7B7D' WHERE id = ?", "is not what was written"),
        ("DELETE FROM items WHERE id = ?", "are missing"),
    ],
)
def test_a_changed_or_missing_item_far_back_is_found(tmp_path: Path, statement: str, found: str) -> None:
    path = filled(tmp_path)
    change(path, statement)
    with pytest.raises(LedgerDamagedError, match=found):
        settled(path)


def test_a_sound_ledger_is_looked_at_also_while_it_is_drained(tmp_path: Path) -> None:
    path = filled(tmp_path)
    ledger = Ledger(path, verify_at_once_bytes=0)
    sent = 0
    while (batch := ledger.next_batch("sync", 100, lambda _: 200_000)) is not None:
        ledger.acknowledge(batch)
        sent += batch.items
        ledger.settle()
    assert sent == COUNT + 1
    ledger.close()


def test_a_sound_ledger_stays_in_use(tmp_path: Path) -> None:
    ledger = settled(filled(tmp_path))
    assert ledger.backlog().items == COUNT + 1
    ledger.close()
