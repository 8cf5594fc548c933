"""Ledgers of earlier versions: nothing that they hold is lost, and what they had begun to send goes on."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from vigie.errors import LedgerUnavailableError
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.rows import LedgerEntry

DUMP = Path(__file__).with_name("ledger-2.sql")
NAME = "a61246a9"
NUMBERS = range(40)


def alert(n: int) -> bool:
    return n % 10 == 9


def count(n: int) -> bool:
    return n % 10 == 8


def event(n: int) -> bool:
    return n % 2 == 1 and not alert(n)


# Item 0 was sent; item 1 is on its way.
EXPECTED = [1, *(n for kind in (alert, event, count) for n in NUMBERS if kind(n) and n > 1)]
EXPECTED += [n for n in NUMBERS if n > 1 and n not in EXPECTED]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.executescript(DUMP.read_text(encoding="utf-8"))
    db.close()
    return tmp_path


def sent(ledger: LedgerThread) -> tuple[list[int], list[str]]:
    numbers, ids = [], []
    while (batch := ledger.next_batch("sync", 10, lambda _: 200_000)) is not None:
        numbers += [item["seq"] for item in json.loads(batch.body)["items"]]
        ids.append(batch.message_id)
        ledger.acknowledge(batch)
    return numbers, ids


def test_a_ledger_that_the_version_before_wrote_goes_on_by_priority_under_its_message_ids(folder: Path) -> None:
    with LedgerThread(folder) as ledger:
        again = [LedgerEntry(f"dock-{n}", "dock", b"{}") for n in (0, 2)]
        assert ledger.record(again, 1 << 40).new == [False, False], "what it held and what it had sent is known"
        backlog = ledger.backlog()
        assert (backlog.ledger, backlog.items, backlog.in_flight, backlog.dropped_total) == (NAME, 38, 1, 7)
        numbers, ids = sent(ledger)
        assert ledger.times_set_aside == 0
    assert numbers == EXPECTED
    assert ids == [f"{NAME}-{n}" for n in range(2, 2 + len(ids))]


def test_a_ledger_of_version_1_without_sums_is_read_too(folder: Path) -> None:
    with sqlite3.connect(folder / "ledger.db") as db:
        for table, column in (("meta", "sum"), ("items", "sum"), ("batches", "traces_sum"), ("batches", "body_sum")):
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        db.execute("PRAGMA user_version=1")
    db.close()
    with LedgerThread(folder) as ledger:
        assert sent(ledger)[0] == EXPECTED
        assert (ledger.times_set_aside, ledger.path.parent) == (0, folder)


def test_a_kill_while_rows_are_moved_loses_none(folder: Path) -> None:
    with sqlite3.connect(folder / "ledger.db") as db:  # as a kill between two steps leaves it
        from vigie.ledger.priorities import priority_of
        from vigie.ledger.rows import FROM_2, item_of, row_of

        db.executescript(FROM_2)
        db.execute("PRAGMA user_version=3")
        rows = db.execute("SELECT id, trace, camera, body, sum, at FROM items ORDER BY id LIMIT 10").fetchall()
        for row in rows:
            number, entry = item_of(row)
            priority = priority_of(entry.trace, entry.body)
            db.execute("DELETE FROM items WHERE id = ?", (number,))
            highest = db.execute("SELECT max(id) FROM items WHERE id BETWEEN ? AND ?", priority.span).fetchone()[0]
            place = priority.span[0] if highest is None else highest + 1
            db.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)", row_of(place, entry, 0))
    db.close()
    with LedgerThread(folder) as ledger:
        assert sent(ledger)[0] == EXPECTED
        assert ledger.times_set_aside == 0


def test_a_damaged_ledger_of_version_2_saves_what_is_sound(folder: Path) -> None:
    with sqlite3.connect(folder / "ledger.db") as db:
        db.execute("UPDATE items SET body = X'7B7D' WHERE id = 20")
        gone = int(db.execute("SELECT trace FROM items WHERE id = 20").fetchone()[0].rpartition("-")[2])
    db.close()
    with LedgerThread(folder) as ledger:
        while not ledger.times_set_aside:
            with contextlib.suppress(LedgerUnavailableError):  # the first call finds it, the next has the new one
                ledger.backlog()
        numbers, _ = sent(ledger)
    assert sorted(numbers) == [n for n in NUMBERS if n not in (0, gone)]
