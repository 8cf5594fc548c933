"""The one writer of a ring: puts arrays into slots that nobody reads, oldest first, and never waits for a reader."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vigie.closable import Closable
from vigie.contracts.pixels import PixelFormat, RingReference
from vigie.errors import FrameTooLargeError, PixelFormatError, RingBusyError, RingNoSpaceError, RingRefusedError
from vigie.frames.layout import PLAIN_VERSION, RING_SUFFIX, VERSION, RingGeometry, check_ring_name
from vigie.frames.locks import try_flock
from vigie.frames.mapping import RingMapping, remove_unfinished, ring_files
from vigie.frames.owner import open_folder
from vigie.frames.stamp import pack_format
from vigie.vision.planes import frame_bytes

WRITER_SUFFIX = ".writer"
FOLDER_MODE = 0o770
STALL_S = 5.0
_LOOK_S = 1.0


class RingWriter(Closable):
    """A ring open for writing. Used from one thread; several slots may be open at once.

    Whoever opens the same name with the same geometry after a crash goes on in the same file: sequences continue,
    slots that were being written stay odd and so match no reference. Another geometry begins a new file.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        ring: RingMapping,
        writer_fd: int,
        *,
        stall_s: float,
        clock: Callable[[], float],
    ) -> None:
        """Use ``open``."""
        self.name = name
        self.slots = ring.geometry.slots
        self.slot_bytes = ring.geometry.slot_bytes
        self.moves = 0
        self._folder = folder
        self._writer_fd = writer_fd
        self._stall_s = stall_s
        self._clock = clock
        self._stalled_since: float | None = None
        self._looked_at = clock()
        self._adopt(ring)

    @classmethod
    def open(
        cls,
        folder: Path,
        name: str,
        *,
        slot_bytes: int,
        slots: int,
        formats: bool = False,
        stall_s: float = STALL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Create the ring ``name`` in ``folder``, or go on in the one that a former writer left.

        Rings of this name with another geometry or version, and unfinished ones, are removed first; who still
        reads them keeps their memory until it lets go.

        Args: formats: slots carry a format, for frames in planes; without, they hold BGR frames or tensors and a module
            of the version before can read them.
            stall_s: after this long with every slot held by readers, the writer moves to a new file.
        Raises: RingBusyError: another process writes it. RingNoSpaceError: full or too small file system.
            RingRefusedError: a name that is no file name; a folder of another user.
        """
        check_ring_name(name)
        open_folder(folder, FOLDER_MODE)
        writer_fd = _become_writer(folder, name)
        try:
            ring = _attach(folder, name, RingGeometry(slots, slot_bytes), VERSION if formats else PLAIN_VERSION)
            return cls(folder, name, ring, writer_fd, stall_s=stall_s, clock=clock)
        except BaseException:
            os.close(writer_fd)
            raise

    @property
    def ring(self) -> str:
        """What references call the current file."""
        return self._ring.file_id

    def slot(self, shape: tuple[int, ...], dtype: str = "uint8") -> SlotLease:
        """Open the oldest free slot for an array of ``shape``: ``with writer.slot(shape) as view``.

        ``view`` is None when readers hold every slot; the frame is then the caller's to count as dropped. Leaving
        the block without ``view.commit()`` discards what was written.

        Raises: FrameTooLargeError: a slot does not hold such an array.
        """
        element = np.dtype(dtype)
        count = math.prod(shape)
        if count * element.itemsize > self.slot_bytes or count <= 0:
            raise FrameTooLargeError(
                f"slot of ring '{self.name}'", f"{shape} {dtype}", count * element.itemsize, self.slot_bytes
            )
        return SlotLease(self, shape, element, count)

    def frame_slot(self, pixel_format: PixelFormat) -> SlotLease:
        """Like ``slot``, for a frame in ``pixel_format``: ``view.array`` is its bytes, (n,) uint8, see ``planes_of``.

        A ring without formats takes ``bgr`` alone, as an array of (H, W, 3).

        Raises: FrameTooLargeError: a slot does not hold such a frame. PixelFormatError: the ring has no formats.
        """
        if self._ring.version == PLAIN_VERSION:
            if pixel_format.layout != "bgr":
                raise PixelFormatError(f"ring '{self.name}'", f"holds BGR frames only, not {pixel_format.layout}")
            return self.slot((*pixel_format.size_hw, 3))
        count = frame_bytes(pixel_format)
        if count > self.slot_bytes:
            raise FrameTooLargeError(f"slot of ring '{self.name}'", f"{pixel_format}", count, self.slot_bytes)
        return SlotLease(self, (count,), np.dtype(np.uint8), count, pixel_format)

    def write(self, array: NDArray[Any]) -> RingReference | None:
        """Copy ``array`` into the oldest free slot; None: readers hold every slot.

        Raises: FrameTooLargeError: a slot does not hold it.
        """
        with self.slot(array.shape, array.dtype.name) as view:
            if view is None:
                return None
            np.copyto(view.array, array)
            return view.commit()

    def release(self, reference: RingReference) -> None:
        """``reference`` was never sent and never will be: its slot goes before any that somebody may still want."""
        slot = reference.slot
        if reference.ring == self._ring.file_id and self._ring.sequence(slot) == reference.sequence:
            self._oldest_first.remove(slot)
            self._oldest_first.insert(0, slot)

    def close(self) -> None:
        """Stop writing; the file stays for its readers and for the next writer."""
        if self._writer_fd >= 0:
            self._ring.close()
            os.close(self._writer_fd)
            self._writer_fd = -1

    def begin(self) -> tuple[RingMapping, int, int] | None:
        """Lock the oldest free slot and mark it as being written: (ring, slot, odd sequence). For ``SlotLease``."""
        now = self._clock()
        if now - self._looked_at >= _LOOK_S:
            self._looked_at = now
            if self._ring.is_unlinked():
                self._move()
        begun = self._lock_oldest()
        if begun is not None:
            self._stalled_since = None
            return begun
        if self._stalled_since is None:
            self._stalled_since = now
        if now - self._stalled_since < self._stall_s or self._writing:
            return None
        # Nothing but hung readers explains a ring that is held as a whole for so long: leave it to them.
        self._stalled_since = now
        with contextlib.suppress(RingNoSpaceError):
            self._move()
            return self._lock_oldest()
        return None

    def end(self, ring: RingMapping, slot: int) -> None:
        """Unlock a slot that ``begin`` locked. For ``SlotLease``."""
        self._writing.discard((ring.file_id, slot))
        if ring.fd >= 0:
            ring.locks.unlock(slot)

    def _lock_oldest(self) -> tuple[RingMapping, int, int] | None:
        ring = self._ring
        for place, slot in enumerate(self._oldest_first):
            # Our own lock would not keep us out: it belongs to the same open file.
            if (ring.file_id, slot) in self._writing or not ring.locks.try_exclusive(slot):
                continue
            sequence = self._next_sequence
            self._next_sequence += 2
            ring.set_sequence(slot, sequence)
            del self._oldest_first[place]
            self._oldest_first.append(slot)
            self._writing.add((ring.file_id, slot))
            return ring, slot, sequence
        return None

    def _adopt(self, ring: RingMapping) -> None:
        self._ring = ring
        self._writing: set[tuple[str, int]] = set()
        sequences = [ring.sequence(slot) for slot in range(self.slots)]
        self._oldest_first = sorted(range(self.slots), key=sequences.__getitem__)
        # The next odd value above everything that was ever written here, finished or not.
        self._next_sequence = (max(sequences) + 1) | 1

    def _move(self) -> None:
        former = self._ring
        self._adopt(_create(self._folder, self.name, former.geometry, former.version))
        self.moves += 1
        (self._folder / f"{former.file_id}{RING_SUFFIX}").unlink(missing_ok=True)
        former.close()


class SlotView:
    """A slot being written. ``array``: writable, zero-copy, undefined content; not to be touched after ``commit``."""

    __slots__ = ("_lease", "array", "slot")

    def __init__(self, lease: SlotLease, array: NDArray[Any], slot: int) -> None:
        """Use ``RingWriter.slot``. ``slot``: its number in the ring."""
        self._lease = lease
        self.array = array
        self.slot = slot

    def commit(self) -> RingReference:
        """Make the array readable and say where it is. Once, inside the block."""
        return self._lease.commit()


class SlotLease:
    """The block of one ``RingWriter.slot``: locks on entering, unlocks at commit or on leaving."""

    __slots__ = ("_begun", "_count", "_dtype", "_format", "_shape", "_writer")

    def __init__(
        self,
        writer: RingWriter,
        shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
        count: int,
        pixel_format: PixelFormat | None = None,
    ) -> None:
        """Use ``RingWriter.slot``."""
        self._format = pixel_format
        self._writer = writer
        self._shape = shape
        self._dtype = dtype
        self._count = count
        self._begun: tuple[RingMapping, int, int] | None = None

    def __enter__(self) -> SlotView | None:
        self._begun = self._writer.begin()
        if self._begun is None:
            return None
        ring, slot, _ = self._begun
        return SlotView(self, ring.array(slot, self._shape, self._dtype, self._count), slot)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not committed: the sequence stays odd, so the slot matches no reference and is simply old.
        if self._begun is not None:
            ring, slot, _ = self._begun
            self._begun = None
            self._writer.end(ring, slot)

    def commit(self) -> RingReference:
        """See ``SlotView.commit``."""
        if self._begun is None:
            raise RuntimeError("a slot is committed once, inside its block")
        ring, slot, sequence = self._begun
        self._begun = None
        if ring.version > PLAIN_VERSION:
            ring.set_stamp(slot, 0 if self._format is None else pack_format(self._format))
        ring.set_sequence(slot, sequence + 1)
        self._writer.end(ring, slot)
        return RingReference(ring.file_id, slot, sequence + 1, self._shape, self._dtype.name, self._format)


def remove_dead_rings(folder: Path, prefix: str, *, keep: set[str]) -> list[str]:
    """Remove rings whose name begins with ``prefix``, is not in ``keep`` and that no process writes.

    For a module that knows all its rings, such as a camera module after a camera left its twin.
    Returns: the names removed.
    """
    removed = []
    for path in folder.glob(f"*{WRITER_SUFFIX}"):
        name = path.name.removesuffix(WRITER_SUFFIX)
        if not name.startswith(prefix) or name in keep:
            continue
        try:
            writer_fd = _become_writer(folder, name)
        except RingBusyError:
            continue
        try:
            for file_id in ring_files(folder, name):
                (folder / f"{file_id}{RING_SUFFIX}").unlink(missing_ok=True)
            remove_unfinished(folder, name)
            path.unlink(missing_ok=True)
            removed.append(name)
        finally:
            os.close(writer_fd)
    return removed


def _attach(folder: Path, name: str, geometry: RingGeometry, version: int) -> RingMapping:
    remove_unfinished(folder, name)
    kept: RingMapping | None = None
    for file_id in ring_files(folder, name):
        if kept is None:
            kept = _reopen(folder, file_id, geometry, version)
            if kept is not None:
                continue
        (folder / f"{file_id}{RING_SUFFIX}").unlink(missing_ok=True)
    return kept or _create(folder, name, geometry, version)


def _reopen(folder: Path, file_id: str, geometry: RingGeometry, version: int) -> RingMapping | None:
    try:
        ring = RingMapping.open(folder, file_id, writable=True)
    except (OSError, RingRefusedError):
        return None
    if ring.geometry == geometry and ring.version == version:
        return ring
    ring.close()
    return None


def _create(folder: Path, name: str, geometry: RingGeometry, version: int) -> RingMapping:
    open_folder(folder, FOLDER_MODE)
    return RingMapping.create(folder, name, secrets.randbits(32), geometry, version)


def _become_writer(folder: Path, name: str) -> int:
    path = folder / f"{name}{WRITER_SUFFIX}"
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        if not try_flock(fd):
            pid = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
            os.close(fd)
            raise RingBusyError(name, str(folder), pid)
        # Between open and lock the file may have been removed with its dead ring; then the lock guards nothing.
        if os.fstat(fd).st_nlink:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            return fd
        os.close(fd)
