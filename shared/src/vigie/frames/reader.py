"""Readers of rings: lease a slot by its reference and see the pixels in place; never waits, never half a frame."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.closable import Closable
from vigie.contracts.pixels import RingReference
from vigie.drop_reason import DropReason
from vigie.errors import FrameGoneError, PixelFormatError, RingRefusedError
from vigie.frames.layout import split_file_id
from vigie.frames.mapping import RingMapping
from vigie.frames.stamp import pack_format

_DTYPES = {name: np.dtype(name) for name in ("uint8", "int8", "uint16", "int16", "float16", "float32")}
_SWEEP_S = 1.0


class RingPool(Closable):
    """Every ring that references of this process named, mapped read-only on first use. Safe from several threads."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``folder``: the frame folder (``VIGIE_FRAMES``); it may come into being later."""
        self._folder = folder
        self._clock = clock
        self._mutex = threading.Lock()
        self._rings: dict[str, RingMapping] = {}
        # (ring, slot) -> leases: the kernel knows one lock per open file, however many leases share it.
        self._leases: dict[tuple[str, int], int] = {}
        self._swept_at = clock()

    def lease(self, reference: RingReference) -> FrameLease:
        """Hold the frame: ``with pool.lease(reference) as frame``; ``frame`` is read-only, zero-copy, and must not be
        kept after the block: the writer reuses its memory.

        Raises (on entering): FrameGoneError, reason ``overwritten`` (the writer needed the slot), ``ring_gone`` (file
            removed), ``ring_refused`` (another version, damaged) or ``bad_reference`` (does not fit the ring).
        """
        return FrameLease(self, reference)

    def sweep(self) -> None:
        """Let go of rings whose writer has moved on; memory returns with the last lease. Cheap, call it when idle."""
        with self._mutex:
            self._sweep()

    def close(self) -> None:
        """Unmap everything; leases still open lose their lock, so close them first."""
        with self._mutex:
            for ring in self._rings.values():
                ring.close()
            self._rings.clear()
            self._leases.clear()

    def acquire(self, reference: RingReference) -> NDArray[Any]:
        """Lock and check; see ``lease``, which unlocks by itself."""
        dtype = _DTYPES.get(reference.dtype)
        shape = reference.shape
        if dtype is None or not shape or min(shape) < 1:
            raise FrameGoneError(
                reference.ring, DropReason.BAD_REFERENCE, f"shape {shape} {reference.dtype} cannot be a frame"
            )
        try:
            stamp = 0 if reference.format is None else pack_format(reference.format)
        except PixelFormatError as error:
            raise FrameGoneError(reference.ring, DropReason.BAD_REFERENCE, str(error)) from error
        count = math.prod(shape)
        slot = reference.slot
        key = (reference.ring, slot)
        with self._mutex:
            ring = self._rings.get(reference.ring) or self._open(reference.ring)
            if not 0 <= slot < ring.geometry.slots or count * dtype.itemsize > ring.geometry.slot_bytes:
                raise FrameGoneError(
                    reference.ring, DropReason.BAD_REFERENCE, f"slot {slot} {shape} is outside of the ring"
                )
            leases = self._leases.get(key, 0)
            if not leases and not ring.locks.try_shared(slot):
                raise FrameGoneError(reference.ring, DropReason.OVERWRITTEN, f"slot {slot} is being written")
            # Under the lock the writer is out of the slot, so this comparison holds until the lease ends.
            found = ring.sequence(slot)
            if found != reference.sequence or found % 2 or not found:
                if not leases:
                    ring.locks.unlock(slot)
                raise FrameGoneError(
                    reference.ring,
                    DropReason.OVERWRITTEN,
                    f"slot {slot} is at {found}, the reference at {reference.sequence}",
                )
            if ring.stamp(slot) != stamp:
                if not leases:
                    ring.locks.unlock(slot)
                raise FrameGoneError(reference.ring, DropReason.BAD_REFERENCE, f"slot {slot} holds another format")
            self._leases[key] = leases + 1
        return ring.array(slot, shape, dtype, count)

    def slots(self, reference: RingReference) -> int:
        """How many slots the ring of a frame that is held has."""
        with self._mutex:
            return self._rings[reference.ring].geometry.slots

    def release(self, reference: RingReference) -> None:
        """Undo one ``acquire``."""
        key = (reference.ring, reference.slot)
        with self._mutex:
            leases = self._leases.get(key, 0)
            if leases > 1:
                self._leases[key] = leases - 1
            elif leases == 1:
                del self._leases[key]
                self._rings[reference.ring].locks.unlock(reference.slot)
            if self._clock() - self._swept_at >= _SWEEP_S:
                self._sweep()

    def _open(self, file_id: str) -> RingMapping:
        # The name came in a message: it must be a ring's, which cannot leave the frame folder.
        if split_file_id(file_id) is None:
            raise FrameGoneError(file_id, DropReason.BAD_REFERENCE, "the name is not a ring's")
        try:
            ring = RingMapping.open(self._folder, file_id, writable=False)
        except RingRefusedError as error:
            raise FrameGoneError(file_id, DropReason.RING_REFUSED, error.reason) from error
        except OSError as error:
            raise FrameGoneError(file_id, DropReason.RING_GONE, error.strerror or str(error)) from error
        self._sweep()
        self._rings[file_id] = ring
        return ring

    def _sweep(self) -> None:
        self._swept_at = self._clock()
        in_use = {file_id for file_id, _ in self._leases}
        for file_id in [name for name, ring in self._rings.items() if name not in in_use and ring.is_unlinked()]:
            self._rings.pop(file_id).close()


class FrameLease:
    """The block of one ``RingPool.lease``."""

    __slots__ = ("_held", "_pool", "_reference")

    def __init__(self, pool: RingPool, reference: RingReference) -> None:
        """Use ``RingPool.lease``."""
        self._pool = pool
        self._reference = reference
        self._held = False

    def __enter__(self) -> NDArray[Any]:
        array = self._pool.acquire(self._reference)
        self._held = True
        return array

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held:
            self._held = False
            self._pool.release(self._reference)
