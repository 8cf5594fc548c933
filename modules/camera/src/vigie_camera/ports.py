"""How a camera's pixels reach the consumer: a ring in shared memory, or a JPEG in the message."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.pixels import InlineJpeg, Pixels, RingReference
from vigie.frames import RingWriter
from vigie.frames.inline import encode_inline
from vigie_camera.sources import Source

Look = Callable[[NDArray[np.uint8]], None]

_CHANNELS = 3


def ring_prefix(module_id: str) -> str:
    """What the names of all rings of this module begin with."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", module_id)[:40] + "."


class Port(Protocol):
    """Takes the frame that a source has grabbed. Opened, used and closed by the camera's thread."""

    def put(self, source: Source, look: Look) -> tuple[Pixels, tuple[int, int]] | None:
        """Read the frame, show it to ``look`` (which must not keep it), and say where it is, with its height and
        width. None: no room now; the source still holds the frame.
        """

    def release(self, pixels: Pixels) -> None:
        """What ``put`` returned was not sent: its place may be used again."""

    def close(self) -> None: ...


class RingPort:
    """Decodes into a slot of the camera's ring; a ring per frame size, the newest only."""

    def __init__(self, folder: Path, name: str, slots: int) -> None:
        """Nothing is opened before the first frame tells its size."""
        self._folder, self._name, self._slots = folder, name, slots
        self._ring: RingWriter | None = None

    def put(self, source: Source, look: Look) -> tuple[RingReference, tuple[int, int]] | None:
        """Raises: RingNoSpaceError, RingBusyError; SourceOpenError of the source."""
        hw = source.size_hw()
        with self._ring_for(hw).slot((*hw, _CHANNELS)) as view:
            if view is None:
                return None
            frame_bgr = source.read(view.array)
            if frame_bgr is view.array:
                look(frame_bgr)
                return view.commit(), hw
        # The source changed its size, or announced another than it sends: this one frame costs a copy.
        hw = (frame_bgr.shape[0], frame_bgr.shape[1])
        look(frame_bgr)
        reference = self._ring_for(hw).write(frame_bgr)
        return None if reference is None else (reference, hw)

    def release(self, pixels: Pixels) -> None:
        if self._ring is not None and isinstance(pixels, RingReference):
            self._ring.release(pixels)

    def close(self) -> None:
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def _ring_for(self, hw: tuple[int, int]) -> RingWriter:
        slot_bytes = hw[0] * hw[1] * _CHANNELS
        if self._ring is not None and self._ring.slot_bytes == slot_bytes:
            return self._ring
        self.close()
        self._ring = RingWriter.open(self._folder, self._name, slot_bytes=slot_bytes, slots=self._slots)
        return self._ring


class InlinePort:
    """Encodes each frame as a JPEG that fits a message of the hub."""

    def __init__(self) -> None:
        """Keeps one frame buffer."""
        self._buffer: NDArray[np.uint8] | None = None

    def put(self, source: Source, look: Look) -> tuple[InlineJpeg, tuple[int, int]] | None:
        """Raises: FrameTooLargeError; SourceOpenError of the source."""
        frame_bgr = self._buffer = source.read(self._buffer)
        look(frame_bgr)
        return encode_inline(frame_bgr), (frame_bgr.shape[0], frame_bgr.shape[1])

    def release(self, pixels: Pixels) -> None:
        """Nothing to do: the pixels went with the item."""

    def close(self) -> None:
        self._buffer = None
