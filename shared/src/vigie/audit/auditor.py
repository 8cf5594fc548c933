"""Writes a module's audit log beside its work: one thread, a bounded queue, and a deadline for whoever waits."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from vigie.audit.journal import Journal
from vigie.audit.record import AuditEntry
from vigie.log import get_logger
from vigie.thread_names import show_thread_name

log = get_logger(__name__)

WAITING_MAX = 256
# A healthy disk takes milliseconds. One that hangs may delay an answer so long, and no longer.
WAIT_S = 2.0
_JOIN_S = 1.0


class Auditor:
    """``record`` on the event loop. ``report``: called from any thread with the reported property ``audit``."""

    def __init__(self, journal: Journal, report: Callable[[dict[str, Any]], None]) -> None:
        self._journal, self._report = journal, report
        self._work: queue.Queue[tuple[AuditEntry, Future[bool]] | None] = queue.Queue(WAITING_MAX)
        self._thread: threading.Thread | None = None

    async def record(self, entry: AuditEntry) -> None:
        """Back when the entry is on the disk, or has not come there within ``WAIT_S``; never raises."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
            self._thread.start()
        written: Future[bool] = Future()
        try:
            self._work.put_nowait((entry, written))
        except queue.Full:
            self._journal.count_lost()
            return
        await asyncio.wait([asyncio.wrap_future(written)], timeout=WAIT_S)

    def close(self) -> None:
        """Write what waits, within a deadline."""
        if self._thread is not None:
            try:
                self._work.put(None, timeout=_JOIN_S)
            except queue.Full:
                return
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        show_thread_name("audit")
        while (work := self._work.get()) is not None:
            entry, written = work
            try:
                done = self._journal.append(entry)
            except Exception:  # an entry that cannot be written must not cost the next ones
                log.exception("audit_entry_refused", kind=entry.kind)
                self._journal.count_lost()
                done = False
            head = self._journal.head
            told = {"lines": head.n, "head": head.sum, "lost": self._journal.lost, "at_rest": self._journal.at_rest}
            self._report({"audit": told})
            written.set_result(done)
        self._journal.close()
