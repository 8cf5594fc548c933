"""An event that a thread can wait for beside a socket."""

from __future__ import annotations

import contextlib
import os
import threading


class Poke:
    """Like ``threading.Event``, with a descriptor for ``poll``. Set from any thread, cleared by its owner."""

    def __init__(self) -> None:
        """Not set."""
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._event = threading.Event()
        self._lock = threading.Lock()

    def set(self) -> None:
        """Wake whoever waits; after ``close`` it does nothing."""
        with self._lock:
            self._event.set()
            if self.fd >= 0:
                os.eventfd_write(self.fd, 1)

    def clear(self) -> None:
        """Not set any more."""
        with self._lock, contextlib.suppress(BlockingIOError):
            self._event.clear()
            os.eventfd_read(self.fd)

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout_s: float | None) -> bool:
        """Whether it is set, after at most ``timeout_s``."""
        return self._event.wait(timeout_s)

    def close(self) -> None:
        with self._lock:
            os.close(self.fd)
            self.fd = -1
