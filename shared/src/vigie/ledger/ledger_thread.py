"""The ledger's own thread: every call to SQLite runs there; a ledger that failed is opened again by the next call."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from vigie.closable import Closable
from vigie.errors import LedgerRefusedError, LedgerUnavailableError, SealedError
from vigie.ledger.batch import Batch
from vigie.ledger.bounds import Dropped, LedgerRules
from vigie.ledger.erasure import Erased, Erasure
from vigie.ledger.ledger import Backlog, Ledger, Recorded
from vigie.ledger.packing import Packing
from vigie.ledger.priorities import Priority
from vigie.ledger.rows import UNREADABLE, LedgerEntry
from vigie.ledger.salvage import salvage
from vigie.ledger.spent import Spent
from vigie.ledger.stand_in import LIMIT_BYTES, StandIn
from vigie.log import get_logger
from vigie.sealing import Seals
from vigie.thread_names import show_thread_name

log = get_logger("ledger")

T = TypeVar("T")

FILE = "ledger.db"
_CLOSE_S = 1.0
# Damaged ledgers that are kept for a person to look at.
_KEPT = 3
_PARTS = ("", "-wal", "-shm", "-journal")
# What the world does to a sound file. Everything else that SQLite or a decoder says is about the file's content.
_WORLD = (
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_AUTH,
)


class LedgerThread(Closable):
    """Blocks its callers, from any thread, until SQLite has answered.

    Every method raises LedgerUnavailableError (disk full, not writable, in use: try again; nothing that was recorded is
    lost), LedgerRefusedError (a newer version's file) and SealedError (its key is not here), both for good.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "ledger",
        memory: Path | None = None,
        seals: Seals | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing yet: a disk that is away at start must not keep the module from starting.

        ``name`` of the thread, as the system's tools show it. ``memory``: a folder in memory-backed storage that stands
        in for a ``folder`` that cannot be used; None: nothing does. ``seals``: the device's keys; none: in the clear.
        """
        self._seals = seals or Seals()
        self.path = folder / FILE
        self.times_set_aside = 0
        self._rules = LedgerRules()
        self._ledger: Ledger | None = None
        self._stand_in = None if memory is None else StandIn(memory, self.path, clock, self._seals)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=show_thread_name, initargs=(name,))

    @property
    def in_memory(self) -> str:
        """Why items are kept in memory only for now; empty while they are on disk."""
        return "" if self._stand_in is None else self._stand_in.reason

    @property
    def at_rest(self) -> str:
        """How what is recorded now lies on the disk, for reported state."""
        name = self._seals.name
        return "in the clear" if name is None else f"sealed with key {name}"

    def configure(self, rules: LedgerRules) -> None:
        """From the next call on; never raises."""
        self._rules = rules

    def record(self, entries: Sequence[LedgerEntry], limit_bytes: int) -> Recorded:
        return self._call(
            lambda ledger: ledger.record(entries, min(limit_bytes, LIMIT_BYTES) if self.in_memory else limit_bytes)
        )

    def next_batch(
        self, module: str, most_items: int, body_limit: Callable[[str], int], packing: Packing | None = None
    ) -> Batch | None:
        return self._call(lambda ledger: ledger.next_batch(module, most_items, body_limit, packing))

    def acknowledge(self, done: Batch, spent: Spent | None = None) -> None:
        self._call(lambda ledger: ledger.acknowledge(done, spent) if ledger.id == done.ledger else None)

    def erase(self, what: Erasure) -> Erased:
        return self._call(lambda ledger: ledger.erase(what))

    def settle(self) -> None:
        self._call(Ledger.settle)

    def backlog(self) -> Backlog:
        return self._call(Ledger.backlog)

    def page(self, after: int, most: int) -> list[tuple[int, LedgerEntry]]:
        return self._call(lambda ledger: ledger.page(after, most))

    def purge(self, priorities: Sequence[Priority]) -> int:
        return self._call(lambda ledger: ledger.purge(priorities))

    def unsent(self, key: str, priority: Priority) -> bool:
        return self._call(lambda ledger: ledger.unsent(key, priority))

    def take_dropped(self) -> Counter[Dropped]:
        return self._call(Ledger.take_dropped)

    def set_aside(self) -> list[str]:
        """Names of damaged ledgers beside the one in use; the newest three are kept."""
        return sorted(path.name for path in self.path.parent.glob(f"{FILE}.damaged-*") if "-wal" not in path.name)

    def close(self) -> None:
        """Close the file and wait for it a moment; a disk that hangs is left to the process's own deadline."""
        with contextlib.suppress(RuntimeError, TimeoutError):  # closed already; or hanging
            self._thread.submit(self._close).result(_CLOSE_S)
        self._thread.shutdown(wait=False)

    def _call(self, work: Callable[[Ledger], T]) -> T:
        try:
            answer = self._thread.submit(self._work, work)
        except RuntimeError as error:
            raise LedgerUnavailableError(str(self.path), "closed, the module is stopping") from error
        return answer.result()

    def _work(self, work: Callable[[Ledger], T]) -> T:
        try:
            ledger = self._opened()
            ledger.configure(self._rules)
            return work(ledger)
        except (LedgerRefusedError, SealedError):
            raise
        except (OSError, *UNREADABLE) as error:
            self._close()
            if not isinstance(error, OSError) and _code(error) not in _WORLD:
                if self._stand_in is not None and self._stand_in.reason:
                    self._stand_in.discard(str(error))
                else:
                    self._put_aside(str(error))
            raise LedgerUnavailableError(str(self.path), str(error)) from error

    def _opened(self) -> Ledger:
        """The ledger in use: the disk's, or what stands in for it."""
        stand_in = self._stand_in
        if stand_in is not None and self._ledger is not None and stand_in.reason:
            self._ledger = stand_in.moved(self._ledger)
        if self._ledger is None and stand_in is not None and stand_in.left():
            self._ledger = stand_in.open()
        if self._ledger is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._ledger = Ledger(self.path, seals=self._seals)
            except (OSError, sqlite3.Error) as error:
                of_the_world = isinstance(error, OSError) or _code(error) in _WORLD
                if stand_in is None or not of_the_world or not stand_in.failed(str(error)):
                    raise
                self._ledger = stand_in.open()
            else:
                if stand_in is not None:
                    stand_in.opened()
        return self._ledger

    def _put_aside(self, reason: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        aside = self.path.with_name(f"{FILE}.damaged-{stamp}")
        for part in _PARTS:
            source = self.path.with_name(FILE + part)
            if source.exists():
                source.rename(aside.with_name(aside.name + part))
        self.times_set_aside += 1
        log.error("ledger_set_aside", file=str(aside), reason=reason, saved=self._save(aside))
        self._forget_oldest()

    def _save(self, aside: Path) -> int:
        """Bring what is sound in a damaged ledger into a new one, under new message ids. Returns: how many items."""
        copy = self.path.with_name(f"{FILE}.salvage")
        try:
            for part in _PARTS:
                source = aside.with_name(aside.name + part)
                if source.exists():
                    shutil.copyfile(source, copy.with_name(copy.name + part))
            entries = salvage(copy, self._seals)
            if entries:
                self._ledger = Ledger(self.path, seals=self._seals)
                self._ledger.record(entries, 1 << 62)
        except (OSError, SealedError, *UNREADABLE) as error:
            log.error("ledger_not_saved", file=str(aside), reason=str(error))  # noqa: TRY400 - the reason says it all
            self._close()
            return 0
        finally:
            for part in _PARTS:
                with contextlib.suppress(OSError):
                    copy.with_name(copy.name + part).unlink(missing_ok=True)
        return len(entries)

    def forget_set_aside(self) -> None:
        """Remove the damaged ledgers that were kept."""
        self._forget(self.set_aside())

    def _forget_oldest(self) -> None:
        """Keep the newest damaged ledgers only: a disk that keeps damaging files must not be filled by them."""
        self._forget(self.set_aside()[:-_KEPT])

    def _forget(self, names: list[str]) -> None:
        for name in names:
            for part in _PARTS:
                with contextlib.suppress(OSError):
                    self.path.with_name(name + part).unlink(missing_ok=True)

    def _close(self) -> None:
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            try:
                ledger.close()
            except sqlite3.Error as error:
                log.warning("ledger_not_closed", reason=str(error))


def _code(error: Exception) -> int:
    # The low byte is the primary code; the rest tells variants apart. Undecodable text comes without any.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
