"""The tensor ring that preprocess writes: one file per tensor size, replaced when the model changes its size."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from vigie.contracts.pixels import RingReference
from vigie.frames import RingWriter, remove_dead_rings

CHANNELS = 3
PREFIX = "tensors-"
TRIAL_PREFIX = "trial-"


class TensorRing:
    """Opens the ring for a spec on first use and moves to another file when size or slot count change.

    The former ring stays open until the next change, so tensors on their way to inference remain readable.
    Used from the worker thread only.
    """

    def __init__(self, folder: Path, prefix: str = PREFIX) -> None:
        self._folder, self._prefix = folder, prefix
        self._serving: RingWriter | None = None
        self._former: RingWriter | None = None
        self._key: tuple[tuple[int, int], int] | None = None
        self._former_key: tuple[tuple[int, int], int] | None = None

    def open(self, size_hw: tuple[int, int], slots: int) -> RingWriter:
        """The ring for tensors of ``size_hw``.

        Raises: RingNoSpaceError: the frame folder has too little room; the text names the size needed.
        """
        if self._serving is not None and self._key == (size_hw, slots):
            return self._serving
        if self._former is not None and self._former_key == (size_hw, slots):
            # Back to the model before: its ring is still open here, and a second writer of it would be refused.
            ring, self._former = self._former, self._serving
            self._former_key, self._key = self._key, (size_hw, slots)
            self._serving = ring
            return ring
        height, width = size_hw
        name = f"{self._prefix}{height}x{width}-{slots}"
        # What a former start left under another size only takes space; rings that are written are left alone.
        remove_dead_rings(self._folder, self._prefix, keep={name})
        ring = RingWriter.open(self._folder, name, slot_bytes=height * width * CHANNELS, slots=slots)
        if self._former is not None:
            self._former.close()
        self._former, self._former_key = self._serving, self._key
        self._serving, self._key = ring, (size_hw, slots)
        return ring

    def release(self, tensor: RingReference) -> None:
        """A tensor that was not sent, because a newer one took its place."""
        if self._serving is not None:
            self._serving.release(tensor)

    def remove(self) -> None:
        """Give the memory back; the next ``open`` begins anew."""
        if self._key is not None:
            self.close()
            remove_dead_rings(self._folder, self._prefix, keep=set())

    def close(self) -> None:
        for ring in (self._former, self._serving):
            if ring is not None:
                ring.close()
        self._former = self._serving = self._key = self._former_key = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
