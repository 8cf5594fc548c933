"""Kernel locks of open file descriptions (F_OFD_SETLK): one byte a slot, never waited for, freed at death.

Not ``lockf`` / F_SETLK: those belong to the process, and any close of the file anywhere in it drops them all.
A lock belongs to the open file, so two leases of one slot through one descriptor are one lock: the pool counts them.
The calls also order memory on both sides, which a bare sequence does not on ARM (docs/decisions/0008).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import Final

# struct flock in the platform's own layout: l_type, l_whence, l_start, l_len, l_pid (which must be 0 for OFD locks).
_FLOCK: Final = struct.Struct("@hhqqi4x")
_HELD_BY_ANOTHER: Final = (errno.EAGAIN, errno.EACCES)


class SlotLocks:
    """The lock bytes of one open ring file; the requests are packed once, a lock is then one system call."""

    def __init__(self, fd: int, offsets: list[int]) -> None:
        """``offsets``: the byte of the file that stands for each slot."""
        self._fd = fd
        self._shared = [_request(fcntl.F_RDLCK, offset) for offset in offsets]
        self._exclusive = [_request(fcntl.F_WRLCK, offset) for offset in offsets]
        self._free = [_request(fcntl.F_UNLCK, offset) for offset in offsets]

    def try_shared(self, slot: int) -> bool:
        """Take the reader's lock; False: a writer is in the slot. A read-only descriptor is enough."""
        return _set(self._fd, self._shared[slot])

    def try_exclusive(self, slot: int) -> bool:
        """Take the writer's lock; False: somebody reads the slot."""
        return _set(self._fd, self._exclusive[slot])

    def unlock(self, slot: int) -> None:
        """Free the slot; quiet if it is free already."""
        fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, self._free[slot])


def try_flock(fd: int) -> bool:
    """Become the one writer that ``fd``'s file stands for; False: another process is."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD_BY_ANOTHER:
            return False
        raise
    return True


def _request(kind: int, offset: int) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, offset, 1, 0)


def _set(fd: int, request: bytes) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, request)
    except OSError as error:
        if error.errno in _HELD_BY_ANOTHER:
            return False
        raise
    return True
