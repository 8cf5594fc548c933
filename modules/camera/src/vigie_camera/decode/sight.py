"""Whether a live picture still shows the present: seconds without a change, seconds of black."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from vigie.vision.planes import Planes

_SAMPLE_STEP = 16
_LOOK_CLOSELY_S = 1.0
# Black: nearly all of the picture below this. Black is 16 in limited range, and cameras mark that as full range too, so
# the tag decides nothing. A night scene has lamps, stars or noise well above it; a covered lens has not.
_BLACK_BELOW = 32
_BLACK_PERCENT = 99.5


class Sight:
    """Fed every frame of a live source. A real sensor's noise changes some pixel in every frame.

    Every frame costs a checksum over 1/256 of its pixels; only once those have stood still for a second are all
    pixels compared, once a second, so that a small clock in a corner counts as change.
    """

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._sample = -1
        self._since_s = 0.0
        self._whole: int | None = None
        self._looked_s = 0.0
        self._dark_since_s: float | None = None

    def look(self, frame: Planes, now_s: float) -> tuple[float, float]:
        """For how long the picture has not changed, and for how long it has been black, as of this frame."""
        samples = np.ascontiguousarray(frame.arrays[0][::_SAMPLE_STEP, ::_SAMPLE_STEP])
        return self._still_s(frame, zlib.crc32(samples.data), now_s), self._dark_s(samples, now_s)

    def _dark_s(self, samples: NDArray[np.uint8], now_s: float) -> float:
        if np.percentile(samples, _BLACK_PERCENT) >= _BLACK_BELOW:
            self._dark_since_s = None
            return 0.0
        if self._dark_since_s is None:
            self._dark_since_s = now_s
        return now_s - self._dark_since_s

    def _still_s(self, frame: Planes, sample: int, now_s: float) -> float:
        plane = frame.arrays[0]
        if sample != self._sample:
            self._sample, self._since_s, self._whole = sample, now_s, None
            return 0.0
        if now_s - self._since_s >= _LOOK_CLOSELY_S and now_s - self._looked_s >= _LOOK_CLOSELY_S:
            self._looked_s = now_s
            whole = zlib.crc32(np.ascontiguousarray(plane).data)
            if self._whole is not None and whole != self._whole:
                self._since_s = now_s
            self._whole = whole
        return now_s - self._since_s
