"""Room on the ledger's volume: what draining needs is set aside while there is some.

SQLite cannot delete a row without writing first: a volume that is full to the last page could never be drained. So a
file of some megabytes lies beside the ledger. It is removed when a batch or an acknowledgement finds no room, and made
again when there is some. What is recorded never uses it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from vigie.private_files import file_mode

_MIB = 1 << 20
# Of a small volume at most this share goes to the reserve, and as much to the write-ahead log.
_SHARE = 6
_MOST = 4 * _MIB
_LEAST_LEDGER = _MIB


@dataclass(frozen=True, slots=True)
class Volume:
    """In bytes: ``total`` of the file system, ``reserve`` for draining, ``log`` (write-ahead), ``ledger`` at most."""

    total: int
    reserve: int
    log: int
    ledger: int


def volume_of(folder: Path) -> Volume:
    """The volume that ``folder`` lies on. Raises: OSError."""
    facts = os.statvfs(folder)
    return shares(facts.f_blocks * facts.f_frsize)


def shares(total: int) -> Volume:
    """How a volume of ``total`` bytes is divided. The log may be twice as long as planned while it is written back."""
    part = max(256 << 10, min(_MOST, total // _SHARE))
    return Volume(total, part, part, max(_LEAST_LEDGER, total - 3 * part))


class Reserve:
    """The file that holds room for draining."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size

    @property
    def there(self) -> bool:
        return self._path.exists() and self._path.stat().st_size >= self._size

    def make(self) -> bool:
        """Whether it is there now; False: the volume has no room for it. Leaves room for as much again."""
        try:
            if self.there:
                return True
            facts = os.statvfs(self._path.parent)
            if facts.f_bavail * facts.f_frsize < 2 * self._size:
                return False
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, file_mode())
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            finally:
                os.close(descriptor)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the room back."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return  # a read-only volume: nothing can be drained there either
