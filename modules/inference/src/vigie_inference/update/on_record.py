"""The record of releases, in memory as on the disk: one change at a time, whoever makes it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vigie.log import get_logger
from vigie_inference.update.record import Record, started, without_oldest
from vigie_inference.update.release_store import ReleaseStore
from vigie_inference.update.report import UpdateReport
from vigie_inference.update.wish import RefusedError

log = get_logger("inference")


class OnRecord:
    """Changed by the thread of updates, and by who applies the twin where the files of what serves are damaged."""

    def __init__(self, store: ReleaseStore, report: UpdateReport) -> None:
        self._store, self._report = store, report
        self._lock = threading.RLock()
        self._now = self._start()

    @property
    def now(self) -> Record:
        return self._now

    def change(self, change: Callable[[Record], Record]) -> None:
        """To what ``change`` makes of what is on record by then. Raises: OSError: it cannot be written."""
        with self._lock:
            after = change(self._now)
            self._store.write(after)
            self._now = after
            self._report.stands(after)

    def set(self, record: Record) -> None:
        """Raises: OSError: it cannot be written."""
        self.change(lambda _: record)

    def tidy(self) -> None:
        """Remove what is not on record from the disk."""
        with self._lock:
            self._store.tidy(self._now)

    def make_room(self, needed: int, limit: int) -> None:
        """Of ``needed`` bytes below ``limit``, by forgetting the releases that nothing goes back to, oldest first.

        Raises: RefusedError: that is not enough. OSError: the record cannot be written.
        """
        with self._lock:
            record = self._now
            while (taken := self._store.bytes_of(record)) + needed > limit:
                fewer = without_oldest(record)
                if fewer is None:
                    raise RefusedError(
                        f"needs {needed} bytes of disk until it is unpacked, and {taken} are of what serves and served "
                        f"before; $.downloads.disk_bytes allows {limit}"
                    )
                record = fewer
            if record != self._now:
                self.set(record)
                self.tidy()

    def _start(self) -> Record:
        record = self._store.read()
        after = started(record)
        try:
            if after != record:
                self._store.write(after)
            self._store.tidy(after)
        except OSError as error:
            # Starts are then not counted; what is committed serves all the same.
            log.warning("update_not_recorded", folder=str(self._store.root), reason=str(error))
        self._report.stands(after)
        return after
