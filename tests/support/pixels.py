"""Random pixels that can be compared in full at the speed of memcmp: frame ``n`` is a window into one random block."""

from __future__ import annotations

import numpy as np

# Prime, so that windows of neighbouring frames lie far apart and none comes back while a ring still holds the former.
_PERIOD = 65_521


class RandomPixels:
    """Two different frames agree in about one byte of 256, so a torn frame is wrong nearly everywhere."""

    def __init__(self, shape: tuple[int, ...], seed: int) -> None:
        self.shape = shape
        self._size = int(np.prod(shape))
        self._block = np.random.default_rng(seed).integers(0, 256, self._size + _PERIOD, np.uint8)

    def frame(self, n: int) -> np.ndarray:
        start = n * 7_919 % _PERIOD
        return self._block[start : start + self._size].reshape(self.shape)
