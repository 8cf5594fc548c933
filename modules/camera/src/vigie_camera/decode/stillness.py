"""Whether a live picture still comes from its sensor: a frozen one repeats itself, whatever an encoder adds to it.

A frozen picture behind an encoder is not the same bytes again: quality wanders within a group of pictures and jumps at
each key frame. But it comes back to pictures that were there before. A still scene before a living sensor does not:
each key frame shows new noise. Between key frames an encoder may leave out the noise of a still scene altogether, so
nothing counts as frozen before it has stood a key frame. Figures: docs/decisions/0040.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

_LOOK_EVERY_S = 0.5
# As many samples as tell an encoder's noise from a sensor's, and remembered for longer than most groups of pictures.
_SAMPLES = 4096
_REMEMBERED = 64
# A sample differs: by more than rounding. A picture is new: this share of its samples differs from every remembered
# one. Frozen pictures behind x264, x265, MPEG-2, MPEG-4 and MJPEG stay below 0.07, still scenes with noise of 0.7
# levels and more reach 0.12 at key frames at the latest.
_ROUNDING = 1
_NEW_SHARE = 0.09
# Something small moves (a clock, a bird): this many pixels of the whole picture by this much. Encoders' noise: 3.
_STRONG, _STRONG_PIXELS = 16, 12
# Streams without key frames (or a decoder that does not tell them) are judged after this long.
_WITHOUT_KEYS_S = 30.0


class Stillness:
    """Fed every frame of a live source; looks closely twice a second."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._seen: deque[NDArray[np.uint8]] = deque(maxlen=_REMEMBERED)
        self._shape: tuple[int, ...] = ()
        self._whole: NDArray[np.uint8] | None = None
        self._looked_s = -math.inf
        self._since_s = 0.0
        self._keys = 0
        self._stood_key = False

    def look(self, plane: NDArray[np.uint8], now_s: float, keys: int | None) -> float:
        """For how long the picture (H, W) or (H, W, 3) has repeated itself; 0 while that may be the encoder's doing.

        ``keys``: key frames so far, None where the decoder does not tell.
        """
        if now_s - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = now_s
            if self._is_new(plane):
                self._since_s, self._stood_key, self._keys = now_s, False, keys or 0
            elif keys is not None and keys > self._keys:
                self._stood_key, self._keys = True, keys
        still_s = now_s - self._since_s
        return still_s if self._stood_key or still_s >= _WITHOUT_KEYS_S else 0.0

    def _is_new(self, plane: NDArray[np.uint8]) -> bool:
        sample = _sampled(plane)
        if plane.shape != self._shape:
            self._shape = plane.shape
            self._seen.clear()
            self._whole = None
        limit = _NEW_SHARE * sample.size
        # The latest first: a picture that stands still is found at once.
        known = any(np.count_nonzero(_distance(sample, one) > _ROUNDING) < limit for one in reversed(self._seen))
        self._seen.append(sample)
        if not known:
            self._whole = None
            return True
        before, self._whole = self._whole, plane.copy()
        if before is None:
            return False
        return int(np.count_nonzero(_distance(before, plane) > _STRONG)) >= _STRONG_PIXELS


def _sampled(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grid over the picture, of green where it has colours."""
    step = max(1, math.isqrt(plane.shape[0] * plane.shape[1] // _SAMPLES))
    grid = plane[step // 2 :: step, step // 2 :: step]
    return np.ascontiguousarray(grid if grid.ndim == 2 else grid[:, :, 1])


def _distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(np.maximum(one, other) - np.minimum(one, other), np.uint8)
