"""What values a tensor takes over the calibration frames: exact extremes and a histogram that grows by doubling.

The bins lie symmetrically about zero and their width is a power of two times the first one, so that merging two frames
is exact: a wider range joins neighbours in pairs. Memory is the same for ten frames as for ten thousand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

HALF_BINS = 2048
# A picture's worth of values tells the shape; the extremes are always taken over all of them.
SAMPLED_VALUES = 1 << 16


class Histogram:
    """Counts of values in ``2 * HALF_BINS`` bins over -``reach``..``reach``; ``lowest`` and ``highest`` exactly."""

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(2 * HALF_BINS, np.int64)
        self.reach = 0.0
        self.lowest = np.inf
        self.highest = -np.inf

    def add(self, values: NDArray[Any]) -> None:
        """Count the values, of any shape: of a large tensor evenly spaced ones, its extremes always.

        Raises: ValueError: NaN or infinity: the float network itself is broken on this frame.
        """
        flat = values.ravel()
        if not flat.size:
            return
        low, high = float(flat.min()), float(flat.max())
        if not np.isfinite((low, high)).all():
            raise ValueError("holds NaN or infinity")
        self.lowest, self.highest = min(self.lowest, low), max(self.highest, high)
        largest = max(-low, high)
        if self.reach == 0.0:
            # The next power of two: two runs over the same frames in another order give the same bins.
            self.reach = float(2.0 ** np.ceil(np.log2(largest))) if largest > 0 else 0.0
        while 0.0 < self.reach < largest:
            self._double()
        if self.reach == 0.0:
            self.counts[HALF_BINS] += flat.size
            return
        if flat.size > SAMPLED_VALUES:
            # An odd stride: an even one would see every second column only.
            flat = flat[:: (flat.size // SAMPLED_VALUES) | 1]
        # float32 throughout: twice as fast, and a value on a bin's edge may fall to either side.
        index = ((flat + np.float32(self.reach)) * np.float32(HALF_BINS / self.reach)).astype(np.int32)
        np.clip(index, 0, 2 * HALF_BINS - 1, out=index)
        self.counts += np.bincount(index, minlength=2 * HALF_BINS)

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        width = self.reach / HALF_BINS
        middles: NDArray[np.float64] = (np.arange(2 * HALF_BINS, dtype=np.float64) + 0.5) * width - self.reach
        return middles

    def _double(self) -> None:
        pairs = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.zeros_like(self.counts)
        self.counts[HALF_BINS // 2 : HALF_BINS // 2 + HALF_BINS] = pairs
        self.reach *= 2.0
