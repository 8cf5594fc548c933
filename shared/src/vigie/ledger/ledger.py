"""What must not be lost, on disk: items by priority in order of arrival, and the one batch on its way upstream. SQLite.

What a commit survives: ``ledger_file``. What may wait how long: ``bounds``. Rows and their sums: ``rows``.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from vigie.ledger import batch, migrate, verify
from vigie.ledger.age_clock import AgeClock, Stamp
from vigie.ledger.batch import Batch
from vigie.ledger.bounds import Dropped, LedgerRules
from vigie.ledger.erasure import Erased, Erasure, erase
from vigie.ledger.ledger_file import LedgerFile
from vigie.ledger.packing import Packing, fitting
from vigie.ledger.priorities import Priority
from vigie.ledger.queues import LedgerQueues, PriorityBacklog
from vigie.ledger.recent_keys import RecentKeys
from vigie.ledger.room import Room
from vigie.ledger.rows import LedgerDamagedError, LedgerEntry, checksum, compare
from vigie.ledger.sealed import check_keys, sealed_batch, unsealed_batch
from vigie.ledger.spent import Spent
from vigie.private_files import file_mode
from vigie.sealing import Seals

# Keys remembered to ignore what comes twice: about three minutes of four cameras at 30 fps. The hub sends again what
# was not acknowledged when a connection broke, which is seconds old.
REMEMBERED = 20_000
# What gzip makes of an envelope of events, until one was compressed.
_RATIO = 0.3


@dataclass(slots=True)
class Recorded:
    """What became of entries: ``new[i]`` is false for a key that was there.

    ``dropped``: what went for reasons of room or age since this was told last; ``dropped_total``: ever.
    """

    new: list[bool]
    dropped: Counter[Dropped] = field(default_factory=Counter)
    dropped_total: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: ``items`` not yet in a batch, ``in_flight`` in the batch on its way; disk in use; dropped ever.

    ``waiting``: by priority. ``dropped``: by reason. ``clock``: what is wrong with the device's clock.
    """

    ledger: str
    items: int
    in_flight: int
    used_bytes: int
    dropped_total: int
    waiting: dict[Priority, PriorityBacklog]
    dropped: dict[str, int]
    age_ms: int
    clock: str | None
    spent: Spent


class Ledger:
    """An open ledger file. Used from one thread, the one that opened it; see ``ledger_thread`` for the rest.

    Errors are sqlite3's own; after one, close and open again: what was committed is there, nothing is half there.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        verify_at_once_bytes: int = verify.AT_ONCE_BYTES,
        remembered: int = REMEMBERED,
        seals: Seals | None = None,
    ) -> None:
        """Open or create. ``seals``: the device's keys. ``remembered``: keys of items that were sent.

        Raises: sqlite3.Error: not writable, full, damaged, in use. LedgerDamagedError: not what was written.
            LedgerRefusedError: of a newer version. SealedError: a key is missing.
        """
        self._file = LedgerFile(path, clock=clock)
        self._db, self._reserve = self._file.db, self._file.reserve
        try:
            self._seals = seals or Seals()
            migrate.bring_up_to_date(self._file, self._seals)
            self._queues = LedgerQueues(self._db, self._seals)
            self._scrub = verify.Scrub(self._db)
            if self._file.used_bytes() <= verify_at_once_bytes:
                verify.verify(self._db)
                self._scrub.done = True
            else:
                verify.verify_head(self._db)
            check_keys(self._db, self._seals)
            self.id = str(self._db.execute("SELECT ledger FROM meta").fetchone()[0])
            self._noted = path.with_name("ledger.sent")
            self._check_sent()
            self._reserve.make()
            saved = Stamp(*self._db.execute("SELECT age_ms, wall_ms FROM age").fetchone())
            self._age = AgeClock(saved, monotonic=clock, wall=wall)
            self._room = Room(self._file, self._queues, self._age)
            # Acknowledged batches whose keys are still on disk: (sent, items), and their items together.
            self._sent: deque[tuple[int, int]] = deque()
            self._sent_items = 0
            self._remembered = remembered
            self._keys = RecentKeys(remembered)
            self._remember_from_disk()
        except BaseException:
            self._file.close()
            raise
        self._ratio = _RATIO

    def configure(self, rules: LedgerRules) -> None:
        """From the next commit on."""
        self._file.durability = rules.durability
        self._room.bounds = rules.bounds

    def record(self, entries: Sequence[LedgerEntry], limit_bytes: int) -> Recorded:
        """Commit what is new; if it would take the ledger over ``limit_bytes``, items of the lowest priority go first.

        Where the volume is smaller than that, it is the limit. A volume that others have filled is an error to try
        again: nothing that was recorded goes for it.
        """
        recorded = Recorded([])
        seen: set[str] = set()
        for entry in entries:
            recorded.new.append(entry.trace not in self._keys and entry.trace not in seen)
            seen.add(entry.trace)
        fresh = [entry for entry, new in zip(entries, recorded.new, strict=True) if new]
        self._room.expire()
        if fresh:
            admitted = self._room.admit(fresh, min(limit_bytes, self._file.volume.ledger))
            if admitted:
                with self._file.transaction(full=self._file.sync_is_due):
                    for priority, of_it in admitted.items():
                        self._queues.add(priority, of_it, self._age.now_ms())
                    self._stamp()
            self._keys.add(entry.trace for entry in fresh)
            self._scrub_some()
        recorded.dropped = self.take_dropped()
        if recorded.dropped:
            recorded.dropped_total = self._room.dropped_total()
        return recorded

    def take_dropped(self) -> Counter[Dropped]:
        """What was dropped since this was asked last."""
        dropped, self._room.untold = self._room.untold, Counter()
        return dropped

    def next_batch(
        self, module: str, most_items: int, body_limit: Callable[[str], int], packing: Packing | None = None
    ) -> Batch | None:
        """The batch on its way, or a new one of the oldest items of the highest priority; None: nothing may go.

        ``body_limit`` gives the largest body for a message id. The batch is on disk, for good, before it is returned.
        """
        packing = packing or Packing()
        if (unsent := self._on_its_way()) is not None:
            return unsent
        self._room.expire()
        sent = (self._db.execute("SELECT max(sent) FROM batches").fetchone()[0] or 0) + 1
        head = batch.head_bytes(module, self.id, sent)
        limit = body_limit(batch.message_id(self.id, sent))
        if packing.bytes_max is not None:
            limit = min(limit, max(1, packing.bytes_max - packing.overhead_bytes))
        taken = self._take(most_items, limit - head, head, packing)
        if not taken:
            return None
        entries = [entry for of_it in taken.values() for _, entry in of_it]
        body = plain = batch.encode(
            batch.schema_of(entries[0].trace), module, self.id, sent, [one.body for one in entries]
        )
        if packing.gzip and len(body := batch.compressed(plain)) < len(plain):
            self._ratio = len(body) / len(plain)
        elif packing.gzip:
            body = plain
        traces = msgspec.json.encode([one.trace for one in entries])
        count = len(entries)

        def form() -> None:
            stored = sealed_batch(body, sent, self._seals)
            sums = checksum(sent, count, traces), checksum(sent, count, stored)
            self._db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", (sent, count, traces, stored, *sums))
            for priority, of_it in taken.items():
                self._queues.remove(priority, of_it[-1][0])
            self._stamp()

        self._file.free(form, full=True)
        self._note_sent(sent)
        return Batch(self.id, sent, count, body)

    def acknowledge(self, done: Batch, spent: Spent | None = None) -> None:
        """The hub has stored ``done``. Its keys stay for a while, so that its items are still known.

        ``spent``: today, with it.
        """
        self._sent.append((done.sent, done.items))
        self._sent_items += done.items
        forgettable = 0
        while self._sent_items - self._sent[0][1] >= self._remembered:
            forgettable, items = self._sent.popleft()
            self._sent_items -= items

        def forget() -> None:
            self._db.execute("UPDATE batches SET body = NULL WHERE sent = ?", (done.sent,))
            self._db.execute("DELETE FROM batches WHERE sent <= ?", (forgettable,))
            if spent is not None:
                values = (spent.day, spent.messages, spent.pieces, spent.bytes)
                self._db.execute("UPDATE spent SET day = ?, messages = ?, pieces = ?, bytes = ?", values)

        self._file.free(forget)
        self._reserve.make()
        self._file.give_back(empty=not self._queues.total())

    def erase(self, what: Erasure) -> Erased:
        """What waits and is covered goes, from the disk too. Its keys stay known: sent again it is not recorded."""
        return erase(self._file, self._queues, what, self._on_its_way())

    def settle(self) -> None:
        """Bring to the disk what no FULL commit has yet; for when nothing more is being recorded."""
        self._room.expire()
        self._scrub_some()
        self._file.settle()

    def backlog(self) -> Backlog:
        in_flight = self._db.execute("SELECT sum(items) FROM batches WHERE body IS NOT NULL").fetchone()[0] or 0
        waiting = {priority: self._queues.waiting(priority) for priority in Priority}
        return Backlog(
            self.id, sum(one.items for one in waiting.values()), in_flight, self._file.used_bytes(),
            self._room.dropped_total(), waiting, self._room.dropped(), self._age.now_ms(), self._age.doubt(),
            Spent(*self._db.execute("SELECT day, messages, pieces, bytes FROM spent").fetchone()),
        )  # fmt: skip

    def page(self, after: int, most: int) -> list[tuple[int, LedgerEntry]]:
        """What waits behind row ``after``, with the rows' numbers, in the order in which it would be sent."""
        return self._queues.after(after, most)

    def purge(self, priorities: Sequence[Priority]) -> int:
        """Drop what waits; the batch on its way stays. Returns: how many items."""
        count = sum(self._room.purge(priority) for priority in priorities)
        self._file.give_back(empty=not self._queues.total())
        return count

    def unsent(self, key: str, priority: Priority) -> bool:
        """Whether the item waits or is on its way."""
        if self._queues.holds(key, priority):
            return True
        rows = self._db.execute("SELECT traces FROM batches WHERE body IS NOT NULL").fetchall()
        return any(key in msgspec.json.decode(row[0], type=list[str]) for row in rows)

    def close(self) -> None:
        self._file.close()

    def _on_its_way(self) -> Batch | None:
        query = "SELECT sent, items, body, body_sum FROM batches WHERE body IS NOT NULL ORDER BY sent"
        row = self._db.execute(query).fetchone()
        if row is None:
            return None
        compare(f"batch {row[0]}", row[3], *row[:3])
        return Batch(self.id, row[0], row[1], unsealed_batch(row[2], row[0], self._seals))

    def _stamp(self) -> None:
        stamp = self._age.stamp()
        self._db.execute("UPDATE age SET age_ms = ?, wall_ms = ?", (stamp.age_ms, stamp.wall_ms))

    def _scrub_some(self) -> None:
        if not self._scrub.done:
            self._scrub.step()

    def _note_sent(self, sent: int) -> None:
        """Keep the newest number outside the database: there it cannot be rolled back with it. Overwritten in place."""
        note = f"{self.id} {sent}"
        with os.fdopen(os.open(self._noted, os.O_WRONLY | os.O_CREAT, file_mode()), "wb") as file:
            file.write(f"{note} {checksum(note)}".ljust(63).encode() + b"\n")

    def _check_sent(self) -> None:
        """Raises: LedgerDamagedError: a batch was made, perhaps sent, that the database does not know any longer."""
        try:
            ledger, sent, total = self._noted.read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return
        known = self._db.execute("SELECT max(sent) FROM batches").fetchone()[0] or 0
        if total == str(checksum(f"{ledger} {sent}")) and ledger == self.id and int(sent) > known:
            raise LedgerDamagedError(f"batch {sent} was built but is not in the ledger")

    def _take(
        self, most_items: int, room_bytes: int, head_bytes: int, packing: Packing
    ) -> dict[Priority, list[tuple[int, LedgerEntry]]]:
        """Rows of the next message, by priority: a prefix of each queue. Raises: LedgerDamagedError."""
        # Sizes first: a thousand large items are not read to send three of them.
        sized: list[tuple[int, str, Priority]] = []
        for priority in packing.priorities:
            if (left := most_items - len(sized)) > 0:
                sized += [(size, key, priority) for size, key, _ in self._queues.sizes(priority, left)]
        if not sized:
            return {}
        kind = _kind(sized[0])
        same = next((n for n, one in enumerate(sized) if _kind(one) != kind), len(sized))
        more = same == len(sized) == most_items
        sizes = [size for size, _, _ in sized[:same]]
        ratio = self._ratio if packing.gzip else 1.0
        if packing.gzip:  # what is compressed has to fit before it is, too: who reads it sets its memory aside by that
            sizes = [max(1, round(size * ratio)) for size in sizes[: fitting(sizes, room_bytes, 0, more=False)]]
        overhead = round(head_bytes * ratio) + packing.overhead_bytes
        count = fitting(sizes, room_bytes, overhead, more=more)
        by_priority = Counter(one[2] for one in sized[:count])
        return {priority: self._queues.oldest(priority, most) for priority, most in sorted(by_priority.items())}

    def _remember_from_disk(self) -> None:
        query = "SELECT traces, sent, items, body IS NOT NULL FROM batches ORDER BY sent"
        for traces, sent, items, unsent in self._db.execute(query):
            self._keys.add(msgspec.json.decode(traces, type=list[str]))
            if not unsent:
                self._sent.append((sent, items))
                self._sent_items += items
        for priority in Priority:
            newest = "SELECT trace FROM items WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?"
            rows = self._db.execute(newest, (*priority.span, self._remembered)).fetchall()
            self._keys.add(row[0] for row in reversed(rows))


def _kind(sized: tuple[int, str, Priority]) -> tuple[object, bool]:
    """What the items of one message have in common."""
    return batch.schema_of(sized[1]), sized[2] is Priority.ALERT
