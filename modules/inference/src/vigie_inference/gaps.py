"""Frames that went down with a preprocess that was killed: taken from the camera, never handed on. No clock, no I/O.

A frame to keep is acknowledged to the camera once its tensor waits to be sent; what waited in a process that was killed
is gone. The next preprocess begins with the first frame that was not acknowledged, so the numbers between the last
tensor of the former and the first of the new one are those frames. Only of cameras whose numbers had no other gaps:
where a camera leaves frames out itself, a gap says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vigie.contracts.tensors import TensorItem

# More at once than any window, queue and ring can hold is another start of the camera, not a loss.
LOST_MAX = 1000


@dataclass(slots=True)
class _Camera:
    source: str
    boot: str
    seq: int
    regular: bool = True


class Gaps:
    """For the thread that takes tensors."""

    def __init__(self) -> None:
        self._cameras: dict[str, _Camera] = {}

    def look(self, boot: str, items: Sequence[TensorItem]) -> dict[str, int]:
        """Frames lost by camera, found in a message of the preprocess that started as ``boot``."""
        lost: dict[str, int] = {}
        for item in items:
            if not item.keep:
                self._cameras.pop(item.camera, None)
                continue
            source = item.trace.rpartition("-")[0]
            known = self._cameras.get(item.camera)
            if known is None or known.source != source:
                self._cameras[item.camera] = _Camera(source, boot, item.seq)
                continue
            missing = item.seq - known.seq - 1
            if missing > 0 and known.boot == boot:
                known.regular = False
            elif 0 < missing <= LOST_MAX and known.regular:
                lost[item.camera] = lost.get(item.camera, 0) + missing
            known.boot, known.seq = boot, max(known.seq, item.seq)
        return lost
