"""From the ledgers of earlier versions: nothing recorded is lost, and a kill in the middle is one step repeated."""

from __future__ import annotations

import secrets
import sqlite3
from collections import defaultdict

from vigie.ledger.ledger_file import LedgerFile
from vigie.ledger.priorities import RANGE, Priority, priority_of
from vigie.ledger.queues import LedgerQueues
from vigie.ledger.rows import (
    BESIDE,
    FROM_1,
    FROM_2,
    ITEMS,
    SCHEMA,
    VERSION,
    LedgerDamagedError,
    LedgerEntry,
    checksum,
    item_of,
)
from vigie.sealing import Seals

APPLICATION_ID = 0x56_49_47_4C
_STEP_ROWS = 500


def bring_up_to_date(file: LedgerFile, seals: Seals) -> None:
    """Make the tables, or those of an earlier version into this one's. Raises: sqlite3.Error, LedgerDamagedError."""
    if file.version == 0:
        _create(file)
        return
    if file.version == 1:
        _from_1(file)
    if file.version < VERSION:
        if (found := file.db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise LedgerDamagedError(str(found))
        with file.transaction(full=True):
            _run(file.db, FROM_2)
            file.db.execute(f"PRAGMA user_version={VERSION}")
    _sort(file, seals)


def _create(file: LedgerFile) -> None:
    with file.transaction(full=True):
        _run(file.db, SCHEMA + BESIDE)
        ledger = secrets.token_hex(4)
        file.db.execute("INSERT INTO meta VALUES (?, 0, ?)", (ledger, checksum(ledger)))
        file.db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        file.db.execute(f"PRAGMA user_version={VERSION}")


def _from_1(file: LedgerFile) -> None:
    """Give the rows of a version without sums theirs; half done is not done."""
    db = file.db
    with file.transaction(full=True):
        _run(db, FROM_1)
        db.create_function("vigie_sum", -1, checksum, deterministic=True)
        db.execute("UPDATE meta SET sum = vigie_sum(ledger)")
        db.execute("UPDATE items SET sum = vigie_sum(id, trace, camera, body)")
        db.execute("UPDATE batches SET traces_sum = vigie_sum(sent, items, traces)")
        db.execute("UPDATE batches SET body_sum = vigie_sum(sent, items, body) WHERE body IS NOT NULL")
        db.execute("PRAGMA user_version=2")


def _sort(file: LedgerFile, seals: Seals) -> None:
    """Move the rows of version 2, which had one queue, to their priorities, oldest first and in small steps.

    In steps, because one transaction for all would need a log as long as they are. Their time begins now.
    """
    db, queues = file.db, LedgerQueues(file.db, seals)
    expected: int | None = None
    while rows := db.execute(f"{ITEMS} WHERE id < ? ORDER BY id LIMIT ?", (RANGE, _STEP_ROWS)).fetchall():
        sorted_: dict[Priority, list[LedgerEntry]] = defaultdict(list)
        for row in rows:
            number, entry = item_of(row)
            if expected not in (None, number):
                raise LedgerDamagedError(f"items before {number} are missing")
            expected = number + 1
            priority = priority_of(entry.trace, entry.body)
            sorted_[priority].append(LedgerEntry(entry.trace, entry.camera, entry.body, priority))

        def move(last: int = rows[-1][0], sorted_: dict[Priority, list[LedgerEntry]] = sorted_) -> None:
            db.execute("DELETE FROM items WHERE id <= ?", (last,))
            for priority, entries in sorted_.items():
                queues.add(priority, entries, 0)

        file.free(move, full=True)


def _run(db: sqlite3.Connection, script: str) -> None:
    for statement in filter(str.strip, script.split(";")):
        db.execute(statement)
