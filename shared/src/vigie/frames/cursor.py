"""A consumer's progress as one 8-byte word in the frame folder: the window of a sender counts what was processed.

PUBACK says only that the hub stored a message (docs/decisions/0002). One file for each (sender, output, consumer),
written by the consumer, mapped by the sender; the word itself costs no system call. Without NumPy, for sync.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from pathlib import Path
from typing import Self

MAGIC = b"VIGIECUR"
VERSION = 1
CURSOR_SUFFIX = ".cursor"
# magic, version, reserved; the word follows, aligned to 8 so that it is stored and loaded whole.
_HEADER = struct.Struct("<8sII")
_FILE_BYTES = 24
_WORD = 2
_SENT_BITS = 48
_SENT_MASK = (1 << _SENT_BITS) - 1
_BOOT_MASK = 0xFFFF


def pack_position(boot: str, sent: int) -> int:
    """The word: low 16 bits of ``boot`` (8 hex digits) above 48 bits of ``sent``."""
    return (int(boot, 16) & _BOOT_MASK) << _SENT_BITS | (sent & _SENT_MASK)


def unpack_position(word: int, boot: str) -> int | None:
    """``sent`` if ``word`` is of ``boot``; None: nothing written yet, or another boot's."""
    if word == 0 or word >> _SENT_BITS != int(boot, 16) & _BOOT_MASK:
        return None
    return word & _SENT_MASK


class CursorWriter:
    """The consumer's side. Used from one thread."""

    def __init__(self, path: Path) -> None:
        """Use ``open``."""
        self._path = path
        self._boot = ""
        self._sent = 0
        self._fd, self._memory, self._words = _create(path)

    @classmethod
    def open(cls, folder: Path, *, sender: str, output: str, consumer: str) -> Self:
        """Create the cursor, or go on in the one that a former start of this consumer left.

        Raises: OSError: the folder cannot be written.
        """
        folder.mkdir(mode=0o770, parents=True, exist_ok=True)
        return cls(_path(folder, sender, output, consumer))

    def advance(self, boot: str, sent: int) -> None:
        """Say that messages of ``boot`` up to ``sent`` are processed; a lower ``sent`` of the same boot is no news."""
        there = os.fstat(self._fd).st_nlink > 0
        if boot == self._boot and sent <= self._sent and there:
            return
        if not there:
            # Somebody emptied the folder: a word that no sender can find would stop the flow for good.
            self._unmap()
            self._path.parent.mkdir(mode=0o770, parents=True, exist_ok=True)
            self._fd, self._memory, self._words = _create(self._path)
        self._boot, self._sent = boot, sent
        self._words[_WORD] = pack_position(boot, sent)

    def close(self) -> None:
        """Unmap; the file stays, so that the sender keeps its place while this consumer restarts."""
        if self._fd >= 0:
            self._unmap()

    def _unmap(self) -> None:
        _unmap(self._fd, self._memory, self._words)
        self._fd = -1


class CursorReader:
    """The sender's side; read-only, and the file may come later."""

    def __init__(self, path: Path) -> None:
        """Use ``open``."""
        self._path = path
        self._mapped: tuple[int, mmap.mmap, memoryview] | None = None

    @classmethod
    def open(cls, folder: Path, *, sender: str, output: str, consumer: str) -> Self:
        """Name the cursor; nothing is opened before the first ``position``."""
        return cls(_path(folder, sender, output, consumer))

    def position(self, boot: str) -> int | None:
        """Highest processed ``sent`` of this ``boot``; None: no cursor file, nothing yet, or another boot's."""
        if self._mapped is not None and os.fstat(self._mapped[0]).st_nlink == 0:
            self.close()
        if self._mapped is None:
            self._mapped = _open_existing(self._path, writable=False)
            if self._mapped is None:
                return None
        return unpack_position(self._mapped[2][_WORD], boot)

    def close(self) -> None:
        """Unmap."""
        if self._mapped is not None:
            _unmap(*self._mapped)
            self._mapped = None


def _path(folder: Path, sender: str, output: str, consumer: str) -> Path:
    return folder / f"{sender}.{output}.{consumer}{CURSOR_SUFFIX}"


def _create(path: Path) -> tuple[int, mmap.mmap, memoryview]:
    mapped = _open_existing(path, writable=True)
    if mapped is not None:
        return mapped
    # Complete before it has its name: a sender that maps a shorter file would die of SIGBUS.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.new")
    fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        os.fchmod(fd, 0o640)  # whatever the process's mask: the sender may be another user of the group
        os.posix_fallocate(fd, 0, _FILE_BYTES)
        os.pwrite(fd, _HEADER.pack(MAGIC, VERSION, 0), 0)
        unfinished.rename(path)
        return _map(fd, writable=True)
    except BaseException:
        os.close(fd)
        unfinished.unlink(missing_ok=True)
        raise


def _open_existing(path: Path, *, writable: bool) -> tuple[int, mmap.mmap, memoryview] | None:
    try:
        fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    head = os.pread(fd, _HEADER.size, 0)
    if os.fstat(fd).st_size >= _FILE_BYTES and head == _HEADER.pack(MAGIC, VERSION, 0):
        return _map(fd, writable=writable)
    os.close(fd)
    return None


def _map(fd: int, *, writable: bool) -> tuple[int, mmap.mmap, memoryview]:
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    memory = mmap.mmap(fd, _FILE_BYTES, mmap.MAP_SHARED, protection)
    return fd, memory, memoryview(memory).cast("Q")


def _unmap(fd: int, memory: mmap.mmap, words: memoryview) -> None:
    words.release()
    with contextlib.suppress(BufferError):
        memory.close()
    os.close(fd)
