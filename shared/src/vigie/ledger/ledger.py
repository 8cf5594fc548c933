"""What must not be lost, on disk: items in order of arrival, and the one batch that is on its way upstream. SQLite.

Durability. WAL with synchronous=NORMAL: a commit is in the kernel's hands, so no ``kill -9`` of anything loses it. A
power loss may take what was committed since the last fsync. A batch is committed with synchronous=FULL before it is
sent, because a batch that is forgotten after it was sent would give its message id to another content; that fsync
covers everything before it. While no batch is made (hub away), one commit a second is FULL. So: at most the last
second. FULL for every commit would cost an fsync for every message, milliseconds each on flash.

Rows leave ``items`` only from its oldest end, so ids are contiguous and counting them is two index look-ups.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vigie.errors import LedgerRefusedError
from vigie.ledger import batch, wal_check
from vigie.ledger.batch import Batch
from vigie.ledger.rows import FROM_1, ITEMS, SCHEMA, Entry, LedgerDamagedError, checksum, compare, item_of
from vigie.ledger.space import Reserve, volume_of

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION_ID = 0x56_49_47_4C
VERSION = 2
# Keys remembered to ignore what comes twice: about three minutes of four cameras at 30 fps. The hub sends again what
# was not acknowledged when a connection broke, which is seconds old.
REMEMBERED = 20_000
SYNC_S = 1.0
_PAGE = 4096
_INCREMENTAL = 2
# Free pages that are kept for the next items.
_SLACK_BYTES = 4 << 20
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


@dataclass(slots=True)
class Recorded:
    """What became of entries: ``new[i]`` is false for a key that was there; ``dropped`` counts old items by camera."""

    new: list[bool]
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_total: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: ``items`` not yet in a batch, ``in_flight`` in the batch on its way; disk in use; dropped ever."""

    ledger: str
    items: int
    in_flight: int
    used_bytes: int
    dropped_total: int


class Ledger:
    """An open ledger file. Used from one thread, the one that opened it; see ``ledger_thread`` for the rest.

    Errors are sqlite3's own; after one, close and open again: what was committed is there, nothing is half there.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Open or create.

        Raises: sqlite3.Error: not writable, full, damaged, in use. LedgerDamagedError: not what was written.
            LedgerRefusedError: of a newer version.
        """
        self._clock = clock
        self._volume = volume_of(path.parent)
        self._reserve = Reserve(path.with_name(path.name + ".reserve"), self._volume.reserve)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        try:
            self._noted = path.with_name("ledger.sent")
            self.id = self._prepare(path)
            self._check_sent()
            self._reserve.make()
            # Acknowledged batches whose keys are still on disk: (sent, items), and their items together.
            self._sent: deque[tuple[int, int]] = deque()
            self._sent_items = 0
            self._remembered: dict[str, None] = {}
            self._remember_from_disk()
        except BaseException:
            self._db.close()
            raise
        self._synced_at = clock()
        self._unsynced = False
        # Whether something was freed since the file was last found to be short enough.
        self._freed = True

    def record(self, entries: Sequence[Entry], limit_bytes: int) -> Recorded:
        """Commit what is new; if it would take the ledger over ``limit_bytes``, the oldest items go first.

        Where the volume is smaller than that, it is the limit. A volume that others have filled is an error to try
        again: nothing that was recorded goes for it.
        """
        recorded = Recorded([])
        seen: set[str] = set()
        for entry in entries:
            recorded.new.append(entry.trace not in self._remembered and entry.trace not in seen)
            seen.add(entry.trace)
        fresh = [entry for entry, new in zip(entries, recorded.new, strict=True) if new]
        if fresh:
            incoming = sum(len(entry.body) + len(entry.trace) + len(entry.camera) for entry in fresh)
            self._make_room(min(limit_bytes, self._volume.ledger) - incoming, recorded.dropped)
            with self._transaction(full=self._clock() - self._synced_at >= SYNC_S):
                first = self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM items").fetchone()[0]
                self._db.executemany(
                    "INSERT INTO items VALUES (?, ?, ?, ?, ?)",
                    [
                        (n, one.trace, one.camera, one.body, checksum(n, one.trace, one.camera, one.body))
                        for n, one in enumerate(fresh, first)
                    ],
                )
            self._remember(entry.trace for entry in fresh)
        if recorded.dropped:
            recorded.dropped_total = self._dropped_total()
        return recorded

    def next_batch(self, module: str, most_items: int, body_limit: Callable[[str], int]) -> Batch | None:
        """The batch on its way, or a new one of the oldest items; None: nothing waits.

        ``body_limit`` gives the largest body for a message id. The batch is on disk, for good, before it is returned.
        """
        query = "SELECT sent, items, body, body_sum FROM batches WHERE body IS NOT NULL ORDER BY sent"
        row = self._db.execute(query).fetchone()
        if row is not None:
            compare(f"batch {row[0]}", row[3], *row[:3])
            return Batch(self.id, *row[:3])
        sent = (self._db.execute("SELECT max(sent) FROM batches").fetchone()[0] or 0) + 1
        room = body_limit(batch.message_id(self.id, sent)) - batch.head_bytes(module, self.id, sent)
        rows = self._oldest(most_items, room)
        if not rows:
            return None
        body = batch.encode(batch.schema_of(rows[0][1]), module, self.id, sent, [row[2] for row in rows])
        traces = msgspec.json.encode([row[1] for row in rows])
        row = (sent, len(rows), traces, body, checksum(sent, len(rows), traces), checksum(sent, len(rows), body))
        self._free(
            ("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", row),
            ("DELETE FROM items WHERE id <= ?", (rows[-1][0],)),
            full=True,
        )
        self._note_sent(sent)
        return Batch(self.id, sent, len(rows), body)

    def acknowledge(self, done: Batch) -> None:
        """The hub has stored ``done``. Its keys stay for a while, so that its items are still known."""
        self._sent.append((done.sent, done.items))
        self._sent_items += done.items
        forgettable = 0
        while self._sent_items - self._sent[0][1] >= REMEMBERED:
            forgettable, items = self._sent.popleft()
            self._sent_items -= items
        self._free(
            ("UPDATE batches SET body = NULL WHERE sent = ?", (done.sent,)),
            ("DELETE FROM batches WHERE sent <= ?", (forgettable,)),
        )
        self._reserve.make()
        self._give_back()

    def settle(self) -> None:
        """Bring to the disk what no FULL commit has yet; for when nothing more is being recorded."""
        if self._unsynced and self._clock() - self._synced_at >= SYNC_S:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._synced()
        self._give_back()

    def backlog(self) -> Backlog:
        in_flight = self._db.execute("SELECT sum(items) FROM batches WHERE body IS NOT NULL").fetchone()[0] or 0
        return Backlog(self.id, self._count(), in_flight, self._used_bytes(), self._dropped_total())

    def close(self) -> None:
        self._db.close()

    def _prepare(self, path: Path) -> str:
        db = self._db
        if (reason := wal_check.doubt(path, path.with_name(path.name + "-wal"))) is not None:
            raise LedgerDamagedError(reason)
        # One process, and no shared-memory file beside the ledger; a second process is refused as 'locked'.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        if not db.execute("PRAGMA page_count").fetchone()[0]:
            db.execute(f"PRAGMA auto_vacuum={_INCREMENTAL}")
        db.execute("PRAGMA journal_mode=WAL").fetchone()
        db.execute(f"PRAGMA journal_size_limit={self._volume.log}")
        db.execute(f"PRAGMA wal_autocheckpoint={self._volume.log // 2 // _PAGE}")
        db.execute("PRAGMA synchronous=NORMAL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise LedgerRefusedError(str(path), version, VERSION)
        if version == 0:
            with self._transaction(full=True):
                for statement in filter(str.strip, SCHEMA.split(";")):
                    db.execute(statement)
                ledger = secrets.token_hex(4)
                db.execute("INSERT INTO meta VALUES (?, 0, ?)", (ledger, checksum(ledger)))
                db.execute(f"PRAGMA application_id={APPLICATION_ID}")
                db.execute(f"PRAGMA user_version={VERSION}")
        elif version < VERSION:
            self._from_1()
        self._verify()
        return str(db.execute("SELECT ledger FROM meta").fetchone()[0])

    def _note_sent(self, sent: int) -> None:
        """Keep the newest number outside the database: there it cannot be rolled back with it. Overwritten in place."""
        note = f"{self.id} {sent}"
        with os.fdopen(os.open(self._noted, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(f"{note} {checksum(note)}".ljust(63).encode() + b"\n")

    def _check_sent(self) -> None:
        """Raises: LedgerDamagedError: a batch was made, perhaps sent, that the database does not know any longer."""
        try:
            ledger, sent, total = self._noted.read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return
        known = self._db.execute("SELECT max(sent) FROM batches").fetchone()[0] or 0
        if total == str(checksum(f"{ledger} {sent}")) and ledger == self.id and int(sent) > known:
            raise LedgerDamagedError(f"batch {sent} was made and is not in the ledger")

    def _from_1(self) -> None:
        """Give the rows of a version without sums theirs; half done is not done."""
        db = self._db
        with self._transaction(full=True):
            for statement in filter(str.strip, FROM_1.split(";")):
                db.execute(statement)
            db.create_function("vigie_sum", -1, checksum, deterministic=True)
            db.execute("UPDATE meta SET sum = vigie_sum(ledger)")
            db.execute("UPDATE items SET sum = vigie_sum(id, trace, camera, body)")
            db.execute("UPDATE batches SET traces_sum = vigie_sum(sent, items, traces)")
            db.execute("UPDATE batches SET body_sum = vigie_sum(sent, items, body) WHERE body IS NOT NULL")
            db.execute(f"PRAGMA user_version={VERSION}")

    def _verify(self) -> None:
        """Compare everything that is in the file with its sums. Raises: LedgerDamagedError, sqlite3.DatabaseError."""
        db = self._db
        if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise LedgerDamagedError(str(found))
        metas = db.execute("SELECT ledger, sum FROM meta").fetchall()
        if len(metas) != 1:
            raise LedgerDamagedError(f"{len(metas)} heads instead of one")
        compare("head", metas[0][1], metas[0][0])
        count = 0
        for row in db.execute(ITEMS):
            item_of(row)
            count += 1
        if count != self._count():
            raise LedgerDamagedError(f"{self._count() - count} items are missing")
        numbers = []
        for sent, items, traces, body, traces_sum, body_sum in db.execute("SELECT * FROM batches ORDER BY sent"):
            compare(f"batch {sent}", traces_sum, sent, items, traces)
            if body is not None:
                compare(f"batch {sent}", body_sum, sent, items, body)
            numbers.append(sent)
        if numbers and numbers[-1] - numbers[0] + 1 != len(numbers):
            raise LedgerDamagedError("batches are missing")

    def _oldest(self, most_items: int, room_bytes: int) -> list[tuple[int, str, bytes]]:
        # Sizes first: a thousand large items are not read to send three of them.
        query = "SELECT length(body), trace FROM items ORDER BY id LIMIT ?"
        taken = batch.fitting(self._db.execute(query, (most_items,)).fetchall(), room_bytes)
        rows = self._db.execute(f"{ITEMS} ORDER BY id LIMIT ?", (taken,)).fetchall()
        return [(number, entry.trace, entry.body) for number, entry in map(item_of, rows)]

    def _make_room(self, limit_bytes: int, dropped: Counter[str]) -> None:
        """Drop the oldest items in steps, each a transaction: one for all would need a log as long as they are."""
        while (count := self._count()) and self._used_bytes() > limit_bytes:
            last = self._db.execute("SELECT min(id) FROM items").fetchone()[0] + max(64, count // 64) - 1
            by_camera = "SELECT camera, count(*) FROM items WHERE id <= ? GROUP BY camera"
            gone = Counter(dict(self._db.execute(by_camera, (last,)).fetchall()))
            self._free(
                ("DELETE FROM items WHERE id <= ?", (last,)),
                ("UPDATE meta SET dropped = dropped + ?", (gone.total(),)),
            )
            dropped.update(gone)

    def _free(self, *statements: tuple[str, tuple[object, ...]], full: bool = False) -> None:
        """One transaction that frees room in the end. Where the volume is full it gets the reserve."""
        self._freed = True
        for last_try in (False, True):
            try:
                with self._transaction(full=full):
                    for statement, values in statements:
                        self._db.execute(statement, values)
            except sqlite3.OperationalError as error:
                if last_try or error.sqlite_errorcode & 0xFF not in _NO_ROOM:
                    raise
                self._reserve.release()
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            else:
                return

    def _give_back(self) -> None:
        """Pages that nothing needs go back to the volume, some at a time; an older version's file once it is empty."""
        if not self._freed:
            return
        free = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        if free * _PAGE <= _SLACK_BYTES:
            self._freed = False
            return
        if self._db.execute("PRAGMA auto_vacuum").fetchone()[0] == _INCREMENTAL:
            # A row for each page, without a column: only a script is stepped through to its end.
            self._db.executescript(f"PRAGMA incremental_vacuum({min(free, self._volume.log // 4 // _PAGE)})")
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # only then the file becomes shorter
        elif not self._count():
            self._db.execute(f"PRAGMA auto_vacuum={_INCREMENTAL}")
            self._db.execute("VACUUM")

    def _count(self) -> int:
        first, last = self._db.execute("SELECT (SELECT min(id) FROM items), (SELECT max(id) FROM items)").fetchone()
        return 0 if first is None else last - first + 1

    def _dropped_total(self) -> int:
        return int(self._db.execute("SELECT dropped FROM meta").fetchone()[0])

    def _used_bytes(self) -> int:
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    @contextmanager
    def _transaction(self, *, full: bool) -> Iterator[None]:
        if full:
            self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._unsynced = True
        if full:
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._synced()

    def _synced(self) -> None:
        self._synced_at = self._clock()
        self._unsynced = False

    def _remember_from_disk(self) -> None:
        newest: list[str] = []
        query = "SELECT trace FROM items ORDER BY id DESC LIMIT ?"
        newest.extend(row[0] for row in self._db.execute(query, (REMEMBERED,)))
        for sent, items, traces, unsent in self._db.execute(
            "SELECT sent, items, traces, body IS NOT NULL FROM batches ORDER BY sent DESC"
        ):
            newest.extend(reversed(msgspec.json.decode(traces, type=list[str])))
            if not unsent:
                self._sent.appendleft((sent, items))
                self._sent_items += items
        self._remember(reversed(newest[:REMEMBERED]))

    def _remember(self, traces: Iterator[str]) -> None:
        for trace in traces:
            self._remembered[trace] = None
        while len(self._remembered) > REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
