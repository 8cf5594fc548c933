"""Keeps the queues within their bounds and the ledger within its disk; counts everything that goes for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import msgspec

from vigie.ledger.age_clock import AgeClock
from vigie.ledger.bounds import Bounds, Drop, Dropped, OutboxBounds
from vigie.ledger.fold import folded, is_folded
from vigie.ledger.ledger_file import LedgerFile
from vigie.ledger.priorities import Priority
from vigie.ledger.queues import LedgerQueues
from vigie.ledger.rows import LedgerEntry

# Rows that go in one transaction: one for all would need a log as long as they are.
_STEP_ROWS = 1000
_LEAST_ROWS = 64


class Room:
    """``untold``: what was dropped and not yet reported."""

    def __init__(self, file: LedgerFile, queues: LedgerQueues, age: AgeClock) -> None:
        """No bounds yet."""
        self._file, self._queues, self._age = file, queues, age
        self.bounds = OutboxBounds()
        self.untold: Counter[Dropped] = Counter()

    def admit(self, entries: Sequence[LedgerEntry], limit_bytes: int) -> dict[Priority, list[LedgerEntry]]:
        """Make room for ``entries``. Returns: those that are to be recorded, by priority; the rest is counted.

        For the disk (``limit_bytes``) the oldest of the lowest priority go, never any of a higher one than what comes.
        """
        sorted_: dict[Priority, list[LedgerEntry]] = defaultdict(list)
        for entry in entries:
            sorted_[entry.priority].append(entry)
        admitted: dict[Priority, list[LedgerEntry]] = {}
        coming = 0
        for priority, of_it in sorted(sorted_.items()):
            left = self._within_bound(priority, of_it)
            size = sum(entry.size for entry in left)
            if self._make_room(priority, limit_bytes - coming - size):
                admitted[priority] = left
                coming += size
            else:
                self._refuse(priority, left, Drop.LEDGER_FULL)
        return {priority: of_it for priority, of_it in admitted.items() if of_it}

    def expire(self) -> None:
        """Items that have waited longer than their priority's time go."""
        for priority in Priority:
            bounds = self.bounds.of(priority)
            if bounds.ttl_seconds is None:
                continue
            border = self._age.now_ms() - bounds.ttl_seconds * 1000
            while (last := self._queues.last_before(priority, border)) is not None:
                if bounds.policy != "aggregate":
                    self._drop(priority, self._step(priority, last), Drop.EXPIRED)
                elif self._queues.all_folded(priority, last):
                    break  # counts are sent however old they are
                elif not self._fold(priority, self._step(priority, last)):
                    self._drop(priority, self._step(priority, last), Drop.EXPIRED)

    def dropped(self) -> dict[str, int]:
        """Ever, by reason."""
        rows = self._file.db.execute("SELECT reason, sum(items) FROM drops GROUP BY reason").fetchall()
        return {reason: int(items) for reason, items in rows}

    def dropped_total(self) -> int:
        return int(self._file.db.execute("SELECT dropped FROM meta").fetchone()[0])

    def purge(self, priority: Priority) -> int:
        """Drop what waits. Returns: how many items."""
        count = 0
        while (span := self._queues.span(priority)) is not None:
            last = self._step(priority, span[1])
            count += last - span[0] + 1
            self._drop(priority, last, Drop.PURGED)
        return count

    def _within_bound(self, priority: Priority, entries: list[LedgerEntry]) -> list[LedgerEntry]:
        bounds = self.bounds.of(priority)
        if bounds.bytes_max is None:
            return entries
        if bounds.policy == "reject_new":
            return self._first_that_fit(priority, entries, bounds.bytes_max - self._queues.bytes(priority))
        left = list(entries)
        while left and sum(entry.size for entry in left) > bounds.bytes_max:  # too much even for an empty queue
            self._refuse(priority, [left.pop(0)], Drop.OVER_BOUND)
        self._shorten(priority, bounds, bounds.bytes_max - sum(entry.size for entry in left))
        return left

    def _first_that_fit(self, priority: Priority, entries: list[LedgerEntry], room_bytes: int) -> list[LedgerEntry]:
        for n, entry in enumerate(entries):
            room_bytes -= entry.size
            if room_bytes < 0:
                self._refuse(priority, entries[n:], Drop.REJECTED)
                return entries[:n]
        return entries

    def _shorten(self, priority: Priority, bounds: Bounds, most_bytes: int) -> None:
        while self._queues.bytes(priority) > most_bytes and (last := self._oldest(priority)) is not None:
            if not (bounds.policy == "aggregate" and self._fold(priority, last, shorter=True)):
                self._drop(priority, last, Drop.OVER_BOUND)

    def _make_room(self, coming: Priority, limit_bytes: int) -> bool:
        """Whether there is room on the disk now; without any item left there is: the rest is keys of what was sent."""
        while self._file.used_bytes() > limit_bytes:
            victim = next((one for one in reversed(Priority) if self._queues.span(one) is not None), None)
            if victim is None:
                return True
            if victim < coming or (victim is coming and self.bounds.of(coming).policy == "reject_new"):
                return False
            if (last := self._oldest(victim)) is not None:
                self._drop(victim, last, Drop.LEDGER_FULL)
        return True

    def _oldest(self, priority: Priority) -> int | None:
        """The last row to go for room; None: there is nothing."""
        span = self._queues.span(priority)
        if span is None:
            return None
        return min(span[1], span[0] + max(_LEAST_ROWS, (span[1] - span[0] + 1) // 64) - 1)

    def _step(self, priority: Priority, last: int) -> int:
        """The last row of the first transaction, of the rows up to ``last``."""
        span = self._queues.span(priority)
        return last if span is None else min(last, span[0] + _STEP_ROWS - 1)

    def _fold(self, priority: Priority, last: int, *, shorter: bool = False) -> bool:
        """Make counts of the rows up to ``last``; false: they cannot be read, or it would hardly make them fewer."""
        span = self._queues.span(priority)
        rows = [] if span is None else [one for _, one in self._queues.oldest(priority, last - span[0] + 1)]
        try:
            instead = folded(rows)
        except msgspec.MsgspecError:
            return False
        if shorter and 2 * len(instead) > len(rows):
            return False
        gone = Counter(entry.camera for entry in rows if not is_folded(entry.trace))

        def work() -> None:
            self._queues.replace(priority, last, instead)
            self._count(priority, Drop.FOLDED, gone)

        self._file.free(work)
        self._tell(priority, Drop.FOLDED, gone)
        return True

    def _drop(self, priority: Priority, last: int, reason: Drop) -> None:
        gone = self._queues.by_camera(priority, last)

        def work() -> None:
            self._queues.remove(priority, last)
            self._count(priority, reason, gone)

        self._file.free(work)
        self._tell(priority, reason, gone)

    def _refuse(self, priority: Priority, entries: Sequence[LedgerEntry], reason: Drop) -> None:
        gone = Counter(entry.camera for entry in entries)
        if gone:
            work: Callable[[], None] = lambda: self._count(priority, reason, gone)  # noqa: E731
            self._file.free(work)
            self._tell(priority, reason, gone)

    def _count(self, priority: Priority, reason: Drop, gone: Counter[str]) -> None:
        db, total = self._file.db, gone.total()
        db.execute("UPDATE meta SET dropped = dropped + ?", (total,))
        db.execute(
            "INSERT INTO drops VALUES (?, ?, ?) ON CONFLICT(reason, priority) DO UPDATE SET items = items + ?",
            (reason.value, priority, total, total),
        )

    def _tell(self, priority: Priority, reason: Drop, gone: Counter[str]) -> None:
        self.untold.update({Dropped(camera, reason, priority): count for camera, count in gone.items()})
