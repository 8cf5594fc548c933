"""Whether a live picture still shows the present: seconds without a change, of black, of a covered lens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vigie_camera.decode.stillness import Stillness
from vigie_camera.decode.tamper import Tamper

_SAMPLE_STEP = 16
# Black: nearly all of the picture below this. Black is 16 in limited range, and cameras mark that as full range too, so
# the tag decides nothing. A night scene has lamps, stars or noise well above it; a covered lens has not.
_BLACK_BELOW = 32
_BLACK_PERCENT = 99.5


class PictureCheck:
    """Fed every frame of a live source."""

    def __init__(self, *, tamper: bool) -> None:
        """Nothing seen yet. ``tamper``: also look whether somebody covered the lens, or put it out of focus."""
        self._stillness = Stillness()
        self._tamper = Tamper() if tamper else None
        self._dark_since_s: float | None = None

    def look(self, plane: NDArray[np.uint8], now_s: float, keys: int | None) -> tuple[float, float]:
        """For how long the picture has repeated itself, and for how long it has been black, as of this frame.

        ``plane``: luma, or BGR. ``keys``: see ``Stillness.look``.
        """
        return self._stillness.look(plane, now_s, keys), self._dark_s(plane, now_s)

    def strange_s(self, plane: NDArray[np.uint8], now_s: float) -> float:
        """For how long the lens has been covered or out of focus, as of this frame."""
        return 0.0 if self._tamper is None else self._tamper.look(plane, now_s)

    def _dark_s(self, plane: NDArray[np.uint8], now_s: float) -> float:
        if np.percentile(plane[::_SAMPLE_STEP, ::_SAMPLE_STEP], _BLACK_PERCENT) >= _BLACK_BELOW:
            self._dark_since_s = None
            return 0.0
        if self._dark_since_s is None:
            self._dark_since_s = now_s
        return now_s - self._dark_since_s
