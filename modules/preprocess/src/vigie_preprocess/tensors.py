"""The tensor ring that preprocess writes: one file per tensor size, replaced when the model changes its size."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from vigie.contracts.inputspec import InputSpec
from vigie.contracts.pixels import RingReference
from vigie.frames import RingWriter, remove_dead_rings

CHANNELS = 3
PREFIX = "tensors-"


class TensorRing:
    """Opens the ring for a spec on first use and moves to another file when size or slot count change.

    The former ring stays open until the next change, so tensors on their way to inference remain readable.
    Used from the worker thread only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._serving: RingWriter | None = None
        self._former: RingWriter | None = None
        self._key: tuple[tuple[int, int], int] | None = None

    def open(self, spec: InputSpec, slots: int) -> RingWriter:
        """The ring for tensors of ``spec``.

        Raises: RingNoSpaceError: the frame folder has too little room; the text names the size needed.
        """
        if self._serving is not None and self._key == (spec.size_hw, slots):
            return self._serving
        height, width = spec.size_hw
        name = f"{PREFIX}{height}x{width}-{slots}"
        # What a former start left under another size only takes space; rings that are written are left alone.
        remove_dead_rings(self._folder, PREFIX, keep={name})
        ring = RingWriter.open(self._folder, name, slot_bytes=height * width * CHANNELS, slots=slots)
        if self._former is not None:
            self._former.close()
        self._former, self._serving, self._key = self._serving, ring, (spec.size_hw, slots)
        return ring

    def release(self, tensor: RingReference) -> None:
        """A tensor that was not sent, because a newer one took its place."""
        if self._serving is not None:
            self._serving.release(tensor)

    def close(self) -> None:
        for ring in (self._former, self._serving):
            if ring is not None:
                ring.close()
        self._former = self._serving = self._key = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
