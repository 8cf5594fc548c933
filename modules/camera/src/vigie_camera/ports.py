"""How a camera's pixels reach the consumer: a ring in shared memory, or a JPEG in the message.

Both hand out slots that a decoder's process fills; nothing is committed before the decoder has said that it is filled.
"""

from __future__ import annotations

import mmap
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from vigie.contracts.pixels import InlineJpeg, PixelFormat, Pixels, RingReference
from vigie.frames import RingWriter
from vigie.frames.inline import encode_inline
from vigie.frames.layout import RING_SUFFIX, RingGeometry
from vigie.frames.mapping import ring_files
from vigie.frames.writer import SlotLease, SlotView
from vigie.vision.convert import to_bgr
from vigie.vision.planes import Planes, frame_bytes, planes_of


def ring_prefix(module_id: str) -> str:
    """What the names of all rings of this module begin with."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", module_id)[:40] + "."


@dataclass(frozen=True, slots=True)
class SlotMemory:
    """A file's part that holds the slots, for the decoder to map. ``fd``: open for writing; the receiver closes it."""

    fd: int
    offset: int
    length: int
    stride: int


class FramePort(Protocol):
    """Opened, used and closed by the camera's thread. Slots are numbered from 0."""

    def forget_former(self) -> None:
        """Remove frames of a former configuration: they may show what must be hidden now. Before ``prepare``.

        Raises: OSError: they cannot be removed.
        """

    def prepare(self, pixel_format: PixelFormat) -> SlotMemory:
        """Make room for frames of this format; slots handed out before are void.

        Raises: RingNoSpaceError, RingBusyError.
        """

    def hand_out(self) -> int | None:
        """A slot to fill; None: readers hold them all."""

    def filled(self, slot: int) -> Planes:
        """The frame in a slot that was handed out and is filled; to be looked at before ``commit``."""

    @property
    def moved(self) -> bool:
        """Whether slots lie elsewhere since ``prepare``: the decoder must be given that memory."""

    def commit(self, slot: int) -> Pixels | None:
        """Make the frame readable; None: its memory is gone. Raises: FrameTooLargeError: it does not fit a message."""

    def release(self, pixels: Pixels) -> None:
        """What ``commit`` returned was not sent: its place may be used again."""

    def take_back(self, *, trusted: bool) -> None:
        """The decoder is gone, slots that it held are free again. Not ``trusted``: it may still wake up and write, so
        its memory is left to it and never used again.
        """

    def close(self) -> None: ...


class RingPort:
    """The camera's ring; one for the newest format, under the camera's name."""

    def __init__(self, folder: Path, name: str, slots: int) -> None:
        """Nothing is opened before the first frame tells its format."""
        self._folder, self._name, self._slots = folder, name, slots
        self._ring: RingWriter | None = None
        self._format = PixelFormat("bgr", (1, 1))
        self._formats = False
        self._file_id = ""
        self._held: dict[int, tuple[SlotLease, SlotView]] = {}

    def forget_former(self) -> None:
        for file_id in ring_files(self._folder, self._name):
            (self._folder / f"{file_id}{RING_SUFFIX}").unlink(missing_ok=True)

    def prepare(self, pixel_format: PixelFormat) -> SlotMemory:
        self._free()
        slot_bytes, formats = frame_bytes(pixel_format), pixel_format.layout != "bgr"
        if self._ring is None or self._ring.slot_bytes != slot_bytes or self._formats != formats:
            self.close()
            self._ring = RingWriter.open(
                self._folder, self._name, slot_bytes=slot_bytes, slots=self._slots, formats=formats
            )
        self._format, self._formats, self._file_id = pixel_format, formats, self._ring.ring
        geometry = RingGeometry(self._ring.slots, slot_bytes)
        # Opened anew: a lock belongs to an open file, and a decoder must not share the writer's.
        fd = os.open(self._folder / f"{self._file_id}{RING_SUFFIX}", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        return SlotMemory(fd, geometry.data_offset, geometry.total_bytes - geometry.data_offset, geometry.stride_bytes)

    @property
    def moved(self) -> bool:
        """Whether the ring went on in another file since ``prepare``: the decoder must be given that one."""
        return self._ring is not None and self._ring.ring != self._file_id

    def hand_out(self) -> int | None:
        if self._ring is None:
            return None
        lease = self._ring.frame_slot(self._format)
        view = lease.__enter__()
        if view is None:
            return None
        if self.moved:
            lease.__exit__(None, None, None)
            return None
        self._held[view.slot] = (lease, view)
        return view.slot

    def filled(self, slot: int) -> Planes:
        return planes_of(self._held[slot][1].array, self._format)

    def commit(self, slot: int) -> RingReference | None:
        lease, view = self._held.pop(slot)
        if self.moved:
            lease.__exit__(None, None, None)
            return None
        return view.commit()

    def release(self, pixels: Pixels) -> None:
        if self._ring is not None and isinstance(pixels, RingReference):
            self._ring.release(pixels)

    def take_back(self, *, trusted: bool) -> None:
        if trusted:
            self._free()
            return
        # Without its name the file is nobody's but its readers'; the next ``prepare`` makes another.
        with suppress(OSError):
            (self._folder / f"{self._file_id}{RING_SUFFIX}").unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        self._free()
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def _free(self) -> None:
        held, self._held = self._held, {}
        for lease, _ in held.values():
            lease.__exit__(None, None, None)


class InlinePort:
    """Encodes each frame as a JPEG that fits a message of the hub; slots are memory that only the decoder shares."""

    _SLOTS = 2

    def __init__(self) -> None:
        """No memory before the first frame tells its format."""
        self._memory: mmap.mmap | None = None
        self._format = PixelFormat("bgr", (1, 1))
        self._stride = 0
        self._free = list(range(self._SLOTS))

    def forget_former(self) -> None:
        """Nothing to do: nothing outlives a configuration."""

    def prepare(self, pixel_format: PixelFormat) -> SlotMemory:
        self.close()
        geometry = RingGeometry(self._SLOTS, frame_bytes(pixel_format))
        self._format, self._stride = pixel_format, geometry.stride_bytes
        length = self._SLOTS * self._stride
        fd = os.memfd_create("vigie-inline", os.MFD_CLOEXEC)
        os.ftruncate(fd, length)
        self._memory = mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ)
        return SlotMemory(fd, 0, length, self._stride)

    moved = False

    def hand_out(self) -> int | None:
        return self._free.pop() if self._free and self._memory is not None else None

    def filled(self, slot: int) -> Planes:
        packed = np.frombuffer(self._memory or b"", np.uint8, frame_bytes(self._format), slot * self._stride)
        return planes_of(packed, self._format)

    def commit(self, slot: int) -> InlineJpeg:
        try:
            return encode_inline(to_bgr(self.filled(slot)))
        finally:
            self._free.append(slot)

    def release(self, pixels: Pixels) -> None:
        """Nothing to do: the pixels went with the item."""

    def take_back(self, *, trusted: bool) -> None:  # noqa: ARG002 - either way the next source gets other memory
        self.close()

    def close(self) -> None:
        # Arrays that still show it keep it; nobody does once the frame is committed.
        self._memory = None
        self._free = list(range(self._SLOTS))
