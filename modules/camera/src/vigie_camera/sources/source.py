"""What every source can do."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Source(Protocol):
    """An open source; used and closed by the one thread that opened it."""

    period_s: float  # expected between frames; a guess of 1/25 where the source does not say

    def grab(self) -> float | None:
        """Go to the next frame. Returns: its time in seconds from the source's beginning (files) or of a monotonic
        clock (live); None: the end.

        Raises: SourceOpenError: a live source is lost.
        """

    def read(self, out_bgr: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        """The frame that was grabbed, (H, W, 3) uint8 BGR: in ``out_bgr`` if that has its shape, else a new array."""

    def size_hw(self) -> tuple[int, int]:
        """Height and width of the frame that was grabbed, as far as known before reading it."""

    def rewind(self) -> bool:
        """Begin again. False: cannot."""

    def close(self) -> None: ...
