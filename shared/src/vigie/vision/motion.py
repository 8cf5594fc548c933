"""Where tracked boxes are and how fast they move: one small Kalman filter per side of each box, all in arrays.

State per box: centre x, centre y, width, height, each an independent [position, velocity] with constant velocity and
white acceleration. So nothing is inverted, and a frame costs a handful of array operations whatever is in it.
Source: Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001, section 6.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import xywh_to_xyxy, xyxy_to_xywh

Floats = NDArray[np.float64]

# Acceleration in box heights per second squared: a walking person turns and stops within a second.
_ACCELERATION = 2.5
# Least height in pixels that acceleration and noise are taken of: boxes of a few pixels jitter by whole pixels.
_LEAST_PX = 8.0
# Variance of a side's change as a share of that of the centre's.
_SIDES = np.array([1.0, 1.0, 0.1, 0.1])
# Standard deviation of a measured side, and of a speed that is not known yet per second, in box heights.
_NOISE = 0.05
_FIRST_SPEED = 4.0


class Motion:
    """Filters of N boxes: ``at`` (N, 4) centre and size in pixels, ``speed`` (N, 4) per second."""

    def __init__(self) -> None:
        """Of no box yet."""
        self.at: Floats = np.empty((0, 4))
        self.speed: Floats = np.empty((0, 4))
        # Variance of the position, covariance of position and speed, variance of the speed; each (N, 4).
        self._pp, self._pv, self._vv = (np.empty((0, 4)) for _ in range(3))

    def __len__(self) -> int:
        return len(self.at)

    def boxes_xyxy(self) -> NDArray[np.float32]:
        """(N, 4) corners in pixels."""
        return xywh_to_xyxy(self.at.astype(np.float32))

    def predict(self, dt_s: float) -> None:
        """Move all boxes by ``dt_s`` seconds."""
        a = np.square(_ACCELERATION * dt_s * np.maximum(self.at[:, 3:], _LEAST_PX)) * _SIDES
        self._pp += dt_s * (2 * self._pv + dt_s * self._vv) + a * (dt_s**2 / 4)
        self._pv += dt_s * self._vv + a * (dt_s / 2)
        self._vv += a
        self.at += self.speed * dt_s
        # A size that shrank below nothing while its box was not seen would overlap with nothing for ever.
        np.maximum(self.at[:, 2:], 1.0, out=self.at[:, 2:])

    def correct(self, rows: NDArray[np.intp], boxes_xyxy: NDArray[np.float32]) -> None:
        """``rows`` (M,) were seen at ``boxes_xyxy`` (M, 4)."""
        seen = xyxy_to_xywh(boxes_xyxy).astype(np.float64)
        at, pp, pv = self.at[rows], self._pp[rows], self._pv[rows]
        total = pp + np.square(_NOISE * np.maximum(seen[:, 3:], _LEAST_PX))
        of_place, of_speed, off = pp / total, pv / total, seen - at
        self.at[rows] = at + of_place * off
        self.speed[rows] += of_speed * off
        self._vv[rows] -= of_speed * pv
        self._pp[rows] = pp - of_place * pp
        self._pv[rows] = pv - of_place * pv

    def add(self, boxes_xyxy: NDArray[np.float32]) -> None:
        """Append boxes that were seen for the first time, at rest as far as is known."""
        seen = xyxy_to_xywh(boxes_xyxy).astype(np.float64)
        height = np.maximum(seen[:, 3:], _LEAST_PX)
        none = np.zeros_like(seen)
        self.at = np.concatenate((self.at, seen))
        self.speed = np.concatenate((self.speed, none))
        self._pp = np.concatenate((self._pp, none + np.square(_NOISE * height)))
        self._pv = np.concatenate((self._pv, none))
        self._vv = np.concatenate((self._vv, np.square(_FIRST_SPEED * height) * _SIDES))

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Forget the boxes where ``mask`` (N,) is false."""
        self.at, self.speed = self.at[mask], self.speed[mask]
        self._pp, self._pv, self._vv = self._pp[mask], self._pv[mask], self._vv[mask]
