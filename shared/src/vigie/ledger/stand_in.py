"""Where items go while the state folder cannot be used: a small ledger in memory-backed storage.

It outlives the process, not the machine or the container, and whoever reads the module's state is told so. What is in
it is moved into the real ledger as soon as that opens.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from vigie.ledger.ledger import Ledger
from vigie.ledger.salvage import salvage
from vigie.log import get_logger
from vigie.sealing import Seals

log = get_logger("ledger")

# Some minutes of four cameras, and a part of the 64 MB that a container's shared memory has.
LIMIT_BYTES = 16 << 20
# A disk that is away for a moment, at a start or a mount, is waited for.
AFTER_S = 10.0
LOOK_EVERY_S = 5.0
_FILE = "ledger.db"


class StandIn:
    """For the ledger's thread alone. ``reason``: why it is in use; empty while it is not."""

    def __init__(self, storage: Path, disk: Path, clock: Callable[[], float], seals: Seals) -> None:
        """``storage``: a folder in memory. ``disk``: the ledger's file, which it stands in for, sealed alike."""
        self._seals = seals
        name = hashlib.sha256(str(disk.absolute()).encode()).hexdigest()[:12]
        self._folder = storage / f"vigie-stand-in-{name}"
        self._disk, self._clock = disk, clock
        self._failing_since: float | None = None
        self._look_at = 0.0
        self.reason = ""

    def left(self) -> bool:
        """A former start left items in it, or this one is using it."""
        return bool(self.reason) or (self._folder / _FILE).exists()

    def opened(self) -> None:
        """The disk's ledger could be opened."""
        self._failing_since = None

    def failed(self, reason: str) -> bool:
        """It could not be opened. Returns: whether that has lasted for so long that this is to be used."""
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since < AFTER_S:
            return False
        self.reason = reason
        return True

    def open(self) -> Ledger:
        """Raises: OSError, sqlite3.Error: there is no memory for it either."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.reason = self.reason or "a former start left items in memory"
        log.warning("ledger_in_memory", folder=str(self._folder), reason=self.reason, limit_bytes=LIMIT_BYTES)
        self._look_at = self._clock() + LOOK_EVERY_S
        return Ledger(self._folder / _FILE, seals=self._seals)

    def discard(self, reason: str) -> None:
        """What is in memory cannot be read any more: begin anew, the disk's ledger is not touched."""
        log.error("ledger_in_memory_lost", folder=str(self._folder), reason=reason)
        shutil.rmtree(self._folder, ignore_errors=True)

    def moved(self, mine: Ledger) -> Ledger:
        """The ledger to use from now on: the disk's with all that ``mine`` held, or ``mine`` while the disk is away.

        Not while a batch is on its way: its items would go once more under another id.
        """
        if self._clock() < self._look_at or mine.backlog().in_flight:
            return mine
        self._look_at = self._clock() + LOOK_EVERY_S
        try:
            self._disk.parent.mkdir(parents=True, exist_ok=True)
            disk = Ledger(self._disk, seals=self._seals)
        except Exception as error:  # whatever the disk says: the items are safe here
            self.reason = str(error)
            return mine
        mine.close()  # it holds its file for itself
        try:
            entries = salvage(self._folder / _FILE, self._seals)
            if entries:
                disk.record(entries, 1 << 62)
        except Exception as error:
            self.reason = str(error)
            disk.close()
            return Ledger(self._folder / _FILE, seals=self._seals)
        shutil.rmtree(self._folder, ignore_errors=True)
        log.info("ledger_back_on_disk", file=str(self._disk), moved=len(entries))
        self.reason, self._failing_since = "", None
        return disk
