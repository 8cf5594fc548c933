"""Is the ledger what was written? All of it at each start, of a large one a little at a time while it works.

Whatever is sent is compared with its sum when it is read: nothing damaged leaves, looked at before or not.
"""

from __future__ import annotations

import sqlite3

from vigie.ledger.priorities import RANGE
from vigie.ledger.queues import LedgerQueues
from vigie.ledger.rows import ITEMS, LedgerDamagedError, compare, item_of

# Above it a start would take too long: reading and summing up 8 MB takes 0.2 s, on a busy machine a second.
AT_ONCE_BYTES = 8 << 20
_STEP_ROWS = 500


def verify(db: sqlite3.Connection) -> None:
    """Compare everything with its sums. Raises: LedgerDamagedError, sqlite3.DatabaseError."""
    if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise LedgerDamagedError(str(found))
    verify_head(db)
    count, queues = 0, LedgerQueues(db)
    for row in db.execute(ITEMS):
        item_of(row)
        count += 1
    if count != queues.total():
        raise LedgerDamagedError(f"{queues.total() - count} items are missing")


def verify_head(db: sqlite3.Connection) -> None:
    """Compare what every start needs: the ledger's id and the batches. Raises: as ``verify``."""
    metas = db.execute("SELECT ledger, sum FROM meta").fetchall()
    if len(metas) != 1:
        raise LedgerDamagedError(f"{len(metas)} heads instead of one")
    compare("head", metas[0][1], metas[0][0])
    if db.execute("SELECT (SELECT count(*) FROM age), (SELECT count(*) FROM spent)").fetchone() != (1, 1):
        raise LedgerDamagedError("the tables of time and budgets have not one row each")
    numbers = []
    for sent, items, traces, body, traces_sum, body_sum in db.execute("SELECT * FROM batches ORDER BY sent"):
        compare(f"batch {sent}", traces_sum, sent, items, traces)
        if body is not None:
            compare(f"batch {sent}", body_sum, sent, items, body)
        numbers.append(sent)
    if numbers and numbers[-1] - numbers[0] + 1 != len(numbers):
        raise LedgerDamagedError("batches are missing")


class Scrub:
    """Looks at a large ledger in steps; ``done`` when all of it was seen."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db, self._queues = db, LedgerQueues(db)
        self._at = RANGE
        self.done = False

    def step(self) -> None:
        """The next rows. Raises: as ``verify``."""
        if self.done:
            return
        rows = self._db.execute(f"{ITEMS} WHERE id > ? ORDER BY id LIMIT ?", (self._at, _STEP_ROWS)).fetchall()
        for row in rows:
            number, entry = item_of(row)
            # A queue begins where its oldest row is, which may have been sent since the last step.
            if number != self._at + 1:
                span = self._queues.span(entry.priority)
                if span is None or number != span[0]:
                    raise LedgerDamagedError(f"items before {number} are missing")
            self._at = number
        self.done = len(rows) < _STEP_ROWS
