"""The items that wait, a queue per priority in one table. Rows leave a queue from its oldest end only.

So the numbers of a queue are contiguous, counting it is two look-ups, and what has waited longest is its first row.
Nothing here begins a transaction.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vigie.ledger.priorities import RANGE, Priority
from vigie.ledger.rows import FOLDED, ITEMS, LedgerEntry, item_of, row_of
from vigie.ledger.sealed import sealed, unsealed
from vigie.sealing import Seals


@dataclass(frozen=True, slots=True)
class PriorityBacklog:
    """Of one priority: how many items, their bytes, and since when the oldest waits (the ledger's age)."""

    items: int
    bytes: int
    oldest_ms: int | None


class LedgerQueues:
    """Over an open database of this version; bodies are sealed where the device has a key."""

    def __init__(self, db: sqlite3.Connection, seals: Seals | None = None) -> None:
        self._db, self._seals = db, seals or Seals()

    def span(self, priority: Priority) -> tuple[int, int] | None:
        """Numbers of the oldest and the newest row; None: it is empty."""
        low, high = priority.span
        first = self._db.execute("SELECT min(id) FROM items WHERE id BETWEEN ? AND ?", (low, high)).fetchone()[0]
        if first is None:
            return None
        return first, self._db.execute("SELECT max(id) FROM items WHERE id BETWEEN ? AND ?", (low, high)).fetchone()[0]

    def count(self, priority: Priority) -> int:
        span = self.span(priority)
        return 0 if span is None else span[1] - span[0] + 1

    def total(self) -> int:
        return sum(self.count(priority) for priority in Priority)

    def bytes(self, priority: Priority) -> int:
        found = self._db.execute("SELECT bytes FROM totals WHERE priority = ?", (priority,)).fetchone()
        return 0 if found is None else int(found[0])

    def waiting(self, priority: Priority) -> PriorityBacklog:
        span = self.span(priority)
        if span is None:
            return PriorityBacklog(0, 0, None)
        oldest = self._db.execute("SELECT at FROM items WHERE id = ?", (span[0],)).fetchone()[0]
        return PriorityBacklog(span[1] - span[0] + 1, self.bytes(priority), oldest)

    def add(self, priority: Priority, entries: Sequence[LedgerEntry], at_ms: int) -> None:
        span = self.span(priority)
        first = priority.span[0] if span is None else span[1] + 1
        self._insert(priority, first, entries, at_ms)

    def remove(self, priority: Priority, last: int) -> None:
        """The rows up to number ``last``."""
        scope = (priority.span[0], last)
        query = "SELECT sum(length(body) + length(trace) + length(camera)) FROM items WHERE id BETWEEN ? AND ?"
        gone = self._db.execute(query, scope).fetchone()[0]
        self._db.execute("DELETE FROM items WHERE id BETWEEN ? AND ?", scope)
        self.weigh(priority, -(gone or 0))

    def replace(self, priority: Priority, last: int, entries: Sequence[LedgerEntry]) -> None:
        """Put ``entries``, not more than there are, in the place of the rows up to number ``last``, as old as that."""
        at_ms = self._db.execute("SELECT at FROM items WHERE id = ?", (last,)).fetchone()[0]
        self.remove(priority, last)
        self._insert(priority, last - len(entries) + 1, entries, at_ms)

    def all_folded(self, priority: Priority, last: int) -> bool:
        """Whether the rows up to number ``last`` are counts of others already."""
        query = "SELECT 1 FROM items WHERE id BETWEEN ? AND ? AND instr(trace, ?) = 0 LIMIT 1"
        return self._db.execute(query, (priority.span[0], last, FOLDED)).fetchone() is None

    def by_camera(self, priority: Priority, last: int) -> Counter[str]:
        """Of the rows up to number ``last``."""
        query = "SELECT camera, count(*) FROM items WHERE id BETWEEN ? AND ? GROUP BY camera"
        return Counter(dict(self._db.execute(query, (priority.span[0], last)).fetchall()))

    def sizes(self, priority: Priority, most: int) -> list[tuple[int, str, int]]:
        """Length of the body, key and number of the oldest."""
        query = "SELECT length(body), trace, id FROM items WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
        return self._db.execute(query, (*priority.span, most)).fetchall()

    def oldest(self, priority: Priority, most: int) -> list[tuple[int, LedgerEntry]]:
        """Rows as they were written. Raises: LedgerDamagedError."""
        query = f"{ITEMS} WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
        return [self.opened(row) for row in self._db.execute(query, (*priority.span, most)).fetchall()]

    def after(self, number: int, most: int) -> list[tuple[int, LedgerEntry]]:
        """Rows of all priorities behind ``number``, as they would be sent. Raises: LedgerDamagedError."""
        query = f"{ITEMS} WHERE id > ? ORDER BY id LIMIT ?"
        return [self.opened(row) for row in self._db.execute(query, (max(number, RANGE), most)).fetchall()]

    def opened(self, row: tuple[Any, ...]) -> tuple[int, LedgerEntry]:
        """A row of ``ITEMS`` as it was recorded. Raises: LedgerDamagedError. SealedError: its key is not here."""
        number, stored = item_of(row)
        return number, unsealed(stored, self._seals)

    def holds(self, key: str, priority: Priority) -> bool:
        query = "SELECT 1 FROM items WHERE id BETWEEN ? AND ? AND trace = ? LIMIT 1"
        return self._db.execute(query, (*priority.span, key)).fetchone() is not None

    def last_before(self, priority: Priority, at_ms: int) -> int | None:
        """Number of the newest of the oldest rows that were recorded before ``at_ms``; None: there are none."""
        span = self.span(priority)
        if span is None:
            return None
        low, high = span
        # Ages rise within a queue, so the border is found by halving.
        while low <= high:
            middle = (low + high) // 2
            at = self._db.execute("SELECT at FROM items WHERE id = ?", (middle,)).fetchone()
            if at is not None and at[0] < at_ms:
                low = middle + 1
            else:
                high = middle - 1
        return high if high >= span[0] else None

    def _insert(self, priority: Priority, first: int, entries: Sequence[LedgerEntry], at_ms: int) -> None:
        stored = [sealed(entry, self._seals) for entry in entries]
        rows = [row_of(number, entry, at_ms) for number, entry in enumerate(stored, first)]
        self._db.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.weigh(priority, sum(entry.size for entry in stored))

    def weigh(self, priority: Priority, more: int) -> None:
        """``more`` bytes wait, or fewer."""
        self._db.execute(
            "INSERT INTO totals VALUES (?, ?) ON CONFLICT(priority) DO UPDATE SET bytes = max(0, bytes + ?)",
            (priority, max(0, more), more),
        )
