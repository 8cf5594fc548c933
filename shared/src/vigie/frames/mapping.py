"""One ring file, open and mapped: created complete under its name, or opened and checked; for writer and reader."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vigie.errors import RingNoSpaceError, RingRefusedError
from vigie.frames.layout import (
    HEADER_BYTES,
    PLAIN_VERSION,
    RING_SUFFIX,
    WORD_BYTES,
    RingGeometry,
    RingHeader,
    pack_header,
    parse_header,
    ring_file_id,
    split_file_id,
)
from vigie.frames.locks import SlotLocks
from vigie.frames.owner import check_owner
from vigie.frames.space import check_space, free_bytes

NEW_SUFFIX = ".new"
# A reader in another container may have another user of the same group; frames are nobody else's business.
FILE_MODE = 0o640


class RingMapping:
    """A ring file in this process's memory.

    ``words`` is read and written in whole aligned 8-byte words: a process killed between two bytes of a sequence
    would otherwise leave a value that was never written.
    """

    def __init__(self, fd: int, file_id: str, header: RingHeader, *, writable: bool) -> None:
        """Take over ``fd``; ``writable`` also asks for it in the kernel's page tables, so a reader cannot scribble."""
        self.fd = fd
        self.file_id = file_id
        self.geometry = header.geometry
        self.version = header.version
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        # Page tables filled now, not by 675 faults in the first 720p frame of each slot.
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        self.memory = mmap.mmap(fd, self.geometry.total_bytes, flags, protection)
        self.words = memoryview(self.memory)[: self.geometry.data_offset].cast("Q")
        offsets = [self.geometry.record_offset(slot) for slot in range(self.geometry.slots)]
        self.locks = SlotLocks(fd, offsets)
        self.word_of = [offset // WORD_BYTES for offset in offsets]

    @classmethod
    def create(cls, folder: Path, name: str, epoch: int, geometry: RingGeometry, version: int = PLAIN_VERSION) -> Self:
        """Allocate every page, write the header, and only then give the file its name: nobody sees half a ring.

        Raises: RingNoSpaceError: the folder's file system is full or too small. FileExistsError: epoch taken.
        """
        check_space(folder, geometry.total_bytes)
        file_id = ring_file_id(name, epoch)
        path = folder / f"{file_id}{RING_SUFFIX}"
        unfinished = folder / f".{file_id}{RING_SUFFIX}{NEW_SUFFIX}"
        fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        try:
            os.fchmod(fd, FILE_MODE)  # whatever the process's mask
            _allocate(fd, folder, geometry.total_bytes)
            header = RingHeader(geometry, epoch, version)
            os.pwrite(fd, pack_header(header), 0)
            os.link(unfinished, path)  # unlike rename, never replaces a ring that somebody reads
            return cls(fd, file_id, header, writable=True)
        except BaseException:
            os.close(fd)
            raise
        finally:
            unfinished.unlink(missing_ok=True)

    @classmethod
    def open(cls, folder: Path, file_id: str, *, writable: bool) -> Self:
        """Map the ring that is there.

        Raises: FileNotFoundError: no such ring. RingRefusedError: not a ring that this version can use, or another
            user's.
        """
        flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(folder / f"{file_id}{RING_SUFFIX}", flags)
        try:
            check_owner(fd, folder, writable=writable)
            header = parse_header(os.pread(fd, HEADER_BYTES, 0), os.fstat(fd).st_size)
            _check_epoch(file_id, header.epoch)
            return cls(fd, file_id, header, writable=writable)
        except BaseException:
            os.close(fd)
            raise

    def sequence(self, slot: int) -> int:
        """The slot's sequence; means something to a reader only under the slot's lock."""
        return self.words[self.word_of[slot]]

    def set_sequence(self, slot: int, sequence: int) -> None:
        """One aligned 8-byte store."""
        self.words[self.word_of[slot]] = sequence

    def stamp(self, slot: int) -> int:
        """The slot's format word; 0 in a ring of version 1, which has none. As true as the sequence beside it."""
        return self.words[self.word_of[slot] + 1] if self.version > PLAIN_VERSION else 0

    def set_stamp(self, slot: int, stamp: int) -> None:
        """One aligned 8-byte store, before the sequence becomes even."""
        self.words[self.word_of[slot] + 1] = stamp

    def array(self, slot: int, shape: tuple[int, ...], dtype: np.dtype[np.generic], count: int) -> NDArray[Any]:
        """The slot's memory as an array; ``count`` is the product of ``shape``, checked by the caller."""
        flat = np.frombuffer(self.memory, dtype, count, self.geometry.slot_offset(slot))
        return flat.reshape(shape)

    def is_unlinked(self) -> bool:
        """Whether the file has lost its name: the writer moved on, or somebody emptied the folder."""
        return os.fstat(self.fd).st_nlink == 0

    def close(self) -> None:
        """Free the locks at once; the memory goes when the last array that shows it is gone."""
        if self.fd < 0:
            return
        fd, self.fd = self.fd, -1
        os.close(fd)
        self.words.release()
        with contextlib.suppress(BufferError):
            self.memory.close()


def ring_files(folder: Path, name: str) -> list[str]:
    """File ids of the rings of ``name`` in ``folder``, in no order."""
    found = []
    for path in folder.glob(f"*{RING_SUFFIX}"):
        named = split_file_id(path.name.removesuffix(RING_SUFFIX))
        if named is not None and named[0] == name:
            found.append(path.name.removesuffix(RING_SUFFIX))
    return found


def remove_unfinished(folder: Path, name: str) -> None:
    """Remove what a writer of ``name`` left that was killed while it created a ring; only its successor may call."""
    for path in folder.glob(f".*{RING_SUFFIX}{NEW_SUFFIX}"):
        named = split_file_id(path.name.removesuffix(NEW_SUFFIX).removesuffix(RING_SUFFIX)[1:])
        if named is not None and named[0] == name:
            path.unlink(missing_ok=True)


def _check_epoch(file_id: str, epoch: int) -> None:
    named = split_file_id(file_id)
    if named is None or named[1] != epoch:
        raise RingRefusedError("carries another epoch than its name says; remove it")


def _allocate(fd: int, folder: Path, size: int) -> None:
    # ftruncate would succeed on a full tmpfs and kill the writer with SIGBUS at the first frame that finds no page.
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EFBIG):
            raise
        os.ftruncate(fd, 0)
        raise RingNoSpaceError(str(folder), size, free_bytes(folder) or 0) from error
