"""Where log lines go. Writing a line never raises and never ends a thread; what was lost is counted and said.

A full log folder, a closed pipe or an object that cannot be shown is a line lost, not a link or a connection lost. So
is a pipe whose reader stands still, as a container's log driver may: a write would hold every thread that logs.
"""

from __future__ import annotations

import io
import os
import select
import stat
import threading
from collections.abc import Callable
from typing import Protocol, TextIO


class _Stream(Protocol):
    """What a sink needs of a stream that has no file descriptor."""

    def write(self, text: str, /) -> int: ...
    def flush(self) -> None: ...


# The first line that finds no room waits so long for the reader; those after it wait for nothing until there is room.
_PATIENCE_S = 1.0


class LineSink:
    """Writes whole lines to a stream, past its buffer, so that a failed line is lost now and not half of it later.

    ``lost`` counts lines since the start. The first line that goes through after a loss is preceded by the one that
    ``tell`` makes of the number lost since the last such line.
    """

    def __init__(self, stream: TextIO, tell: Callable[[int], str]) -> None:
        """``tell`` turns a number of lost lines into a line."""
        self._stream: _Stream = stream
        self._tell = tell
        self._lock = threading.Lock()
        self._untold = 0
        self._torn = False
        self.lost = 0
        self._poll: select.poll | None = None
        self._blocked = False
        try:
            self._descriptor: int | None = stream.fileno()
            if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                self._poll = select.poll()
                self._poll.register(self._descriptor, select.POLLOUT)
        except (OSError, ValueError, io.UnsupportedOperation, AttributeError):
            self._descriptor = None

    def write_line(self, line: str) -> None:
        """Write ``line`` and a newline; never raises."""
        with self._lock:
            if self._untold and self._try(self._tell(self._untold)):
                self._untold = 0
            if not self._try(line):
                self._count()

    def count_lost(self) -> None:
        """One more line is lost, because it could not even be made."""
        with self._lock:
            self._count()

    def _count(self) -> None:
        self.lost += 1
        self._untold += 1

    def _try(self, line: str) -> bool:
        try:
            if self._descriptor is None:
                self._stream.write(line + "\n")
                self._stream.flush()
                return True
            # After half a line the next one must not be glued to it.
            encoded = (("\n" if self._torn else "") + line + "\n").encode("utf-8", "backslashreplace")
            written = 0
            while written < len(encoded):
                if not self._has_room():
                    return False
                # A pipe that has room has it for so much: more might block half-way.
                written += os.write(self._descriptor, encoded[written : written + select.PIPE_BUF])
                self._torn = written < len(encoded)
        except (OSError, ValueError):  # no room, no reader; closed
            return False
        return True

    def _has_room(self) -> bool:
        """Not by O_NONBLOCK, which would be set for every process that shares the pipe."""
        if self._poll is None:
            return True
        self._blocked = not self._poll.poll(0 if self._blocked else _PATIENCE_S * 1000)
        return not self._blocked
