"""Whether a live picture still shows the present: seconds without a change, seconds of black."""

from __future__ import annotations

import zlib

import numpy as np

from vigie.vision.planes import Planes

_SAMPLE_STEP = 16
_LOOK_CLOSELY_S = 1.0


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

    def look(self, frame: Planes, now_s: float) -> tuple[float, float]:
        """For how long the picture has not changed, and for how long it has been black, as of this frame."""
        plane = frame.arrays[0]
        sample = zlib.crc32(np.ascontiguousarray(plane[::_SAMPLE_STEP, ::_SAMPLE_STEP]).data)
        if sample != self._sample:
            self._sample, self._since_s, self._whole = sample, now_s, None
            return 0.0, 0.0
        if now_s - self._since_s >= _LOOK_CLOSELY_S and now_s - self._looked_s >= _LOOK_CLOSELY_S:
            self._looked_s = now_s
            whole = zlib.crc32(np.ascontiguousarray(plane).data)
            if self._whole is not None and whole != self._whole:
                self._since_s = now_s
            self._whole = whole
        return now_s - self._since_s, 0.0
