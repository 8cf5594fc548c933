"""The ledger's database: transactions that are as durable as the twin says, room for draining, pages given back.

Durability. WAL. A commit with synchronous=NORMAL is in the kernel's hands, so no ``kill -9`` of anything loses it; with
FULL it is on the disk (fsync). ``power_loss``: every commit is FULL. ``process_crash``: one commit a second is, and
every batch before it is sent, because a batch that is forgotten after it was sent would give its message id to another
content; that fsync covers everything before it. So a power loss takes at most the last second.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vigie.errors import LedgerRefusedError
from vigie.ledger import wal_check
from vigie.ledger.bounds import Durability
from vigie.ledger.rows import VERSION, LedgerDamagedError
from vigie.ledger.space import Reserve, volume_of
from vigie.private_files import file_mode

SYNC_S = 1.0
_PAGE = 4096
_INCREMENTAL = 2
# Free pages that are kept for the next items.
_SLACK_BYTES = 4 << 20
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


class LedgerFile:
    """An open database, used from one thread. Errors are sqlite3's own."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Open or create. Raises: sqlite3.Error; LedgerDamagedError; LedgerRefusedError: of a newer version."""
        self._clock = clock
        self.path = path
        self.volume = volume_of(path.parent)
        self.reserve = Reserve(path.with_name(path.name + ".reserve"), self.volume.reserve)
        self.durability: Durability = "process_crash"
        _make(path)
        self.db = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        try:
            self.version = self._open()
        except BaseException:
            self.db.close()
            raise
        self._synced_at = clock()
        self._unsynced = False
        # Whether something was freed since the file was last found to be short enough.
        self._freed = True

    def close(self) -> None:
        self.db.close()

    @property
    def sync_is_due(self) -> bool:
        """Whether the next commit goes to the disk: a second has passed since one did, or each does."""
        return self.durability == "power_loss" or self._clock() - self._synced_at >= SYNC_S

    @contextmanager
    def transaction(self, *, full: bool) -> Iterator[None]:
        """``full``: it reaches the disk before this returns."""
        full = full or self.durability == "power_loss"
        if full:
            self.db.execute("PRAGMA synchronous=FULL")
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise
        self._unsynced = True
        if full:
            self.db.execute("PRAGMA synchronous=NORMAL")
            self._synced()

    def free(self, work: Callable[[], None], *, full: bool = False) -> None:
        """``work`` in one transaction that frees room in the end. Where the volume is full it gets the reserve."""
        self._freed = True
        for last_try in (False, True):
            try:
                with self.transaction(full=full):
                    work()
            except sqlite3.OperationalError as error:
                if last_try or error.sqlite_errorcode & 0xFF not in _NO_ROOM:
                    raise
                self.reserve.release()
                with contextlib.suppress(sqlite3.Error):
                    self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            else:
                return

    def settle(self) -> None:
        """Bring to the disk what no FULL commit has yet; for when nothing more is being recorded."""
        if self._unsynced and self._clock() - self._synced_at >= SYNC_S:
            self.db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._synced()
        self.give_back(empty=False)

    def give_back(self, *, empty: bool) -> None:
        """Pages that nothing needs go back to the volume, some at a time; an older version's file once it is empty."""
        if not self._freed:
            return
        free = self.db.execute("PRAGMA freelist_count").fetchone()[0]
        if free * _PAGE <= _SLACK_BYTES:
            self._freed = False
            return
        if self.db.execute("PRAGMA auto_vacuum").fetchone()[0] == _INCREMENTAL:
            # A row for each page, without a column: only a script is stepped through to its end.
            self.db.executescript(f"PRAGMA incremental_vacuum({min(free, self.volume.log // 4 // _PAGE)})")
            self.db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # only then the file becomes shorter
        elif empty:
            self.db.execute(f"PRAGMA auto_vacuum={_INCREMENTAL}")
            self.db.execute("VACUUM")

    def used_bytes(self) -> int:
        pages, free, size = (
            self.db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _synced(self) -> None:
        self._synced_at = self._clock()
        self._unsynced = False

    def _open(self) -> int:
        """The version of what is there; 0: nothing is."""
        db, path = self.db, self.path
        if (reason := wal_check.doubt(path, path.with_name(path.name + "-wal"))) is not None:
            raise LedgerDamagedError(reason)
        # One process, and no shared-memory file beside the ledger; a second process is refused as 'locked'.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        if not db.execute("PRAGMA page_count").fetchone()[0]:
            db.execute(f"PRAGMA auto_vacuum={_INCREMENTAL}")
        db.execute("PRAGMA journal_mode=WAL").fetchone()
        db.execute(f"PRAGMA journal_size_limit={self.volume.log}")
        db.execute(f"PRAGMA wal_autocheckpoint={self.volume.log // 2 // _PAGE}")
        db.execute("PRAGMA synchronous=NORMAL")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise LedgerRefusedError(str(path), version, VERSION)
        return version


def _make(path: Path) -> None:
    """An empty file, as SQLite would make it, with our mode in place of its 0644; its log takes over the mode."""
    with contextlib.suppress(OSError):  # there already, or not to be made: SQLite says what is wrong
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, file_mode()))
