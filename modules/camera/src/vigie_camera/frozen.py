"""A live picture that no longer changes: the camera answers, but shows the past."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

FROZEN_AFTER_S = 5.0
_SAMPLE_STEP = 16
_LOOK_CLOSELY_S = 1.0


class FrozenPicture:
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

    def still_for_s(self, frame_bgr: NDArray[np.uint8], now_s: float) -> float:
        """Seconds for which the picture has not changed, as of this frame."""
        sample = zlib.crc32(np.ascontiguousarray(frame_bgr[::_SAMPLE_STEP, ::_SAMPLE_STEP]).data)
        if sample != self._sample:
            self._sample, self._since_s, self._whole = sample, now_s, None
            return 0.0
        if now_s - self._since_s >= _LOOK_CLOSELY_S and now_s - self._looked_s >= _LOOK_CLOSELY_S:
            self._looked_s = now_s
            whole = zlib.crc32(np.ascontiguousarray(frame_bgr).data)
            if self._whole is not None and whole != self._whole:
                self._since_s = now_s
            self._whole = whole
        return now_s - self._since_s

    @staticmethod
    def limit_s(period_s: float) -> float:
        """After how long a picture counts as frozen, or a source as lost."""
        return max(FROZEN_AFTER_S, 5 * period_s)
