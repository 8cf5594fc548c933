"""Whether somebody covered the lens or put it out of focus: the picture lost the edges that it used to have.

The measure is the strength of the picture's edges (the 95th percentile of differences between blocks) and its contrast.
Out of focus the edges go and the contrast stays; covered, both go. When it gets dark both shrink together, and that is
no tampering; nor is a scene that never had edges to lose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LOOK_EVERY_S = 0.5
_ROW_STEP, _BLOCK = 16, 4
# What a scene must have had to be judged at all, and for how long it must have been seen.
_EDGES_LEAST, _CONTRAST_LEAST = 10.0, 10.0
_LEARN_S = 30.0
# How slowly what is usual follows: a day's light, and not somebody's hand.
_USUAL_S = 60.0
_BLURRED_EDGES, _BLURRED_RATIO = 0.36, 0.55
_COVERED = 0.27
_DARK = 48.0
# Once told, it is over when the edges are back to this share.
_BACK = 0.60


@dataclass(frozen=True, slots=True)
class LumaStatistics:
    """``edges``: their strength; ``contrast``: standard deviation; ``mean``; all in levels of luma."""

    edges: float
    contrast: float
    mean: float


class Tamper:
    """Fed every frame of a live source; looks twice a second."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._looked_s = -math.inf
        self._began_s: float | None = None
        self._edges = self._contrast = 0.0
        self._since_s: float | None = None
        self._shape: tuple[int, ...] = ()

    def look(self, plane: NDArray[np.uint8], now_s: float) -> float:
        """For how long the picture has been covered or out of focus. ``plane``: luma (H, W), or BGR (H, W, 3)."""
        if now_s - self._looked_s >= _LOOK_EVERY_S:
            if plane.shape != self._shape:
                self._shape, self._began_s, self._since_s = plane.shape, None, None
            self.judge(measure(plane), now_s)
        return 0.0 if self._since_s is None else now_s - self._since_s

    def judge(self, seen: LumaStatistics, now_s: float) -> None:
        """One look. Pure but for what it remembers."""
        lasted_s = min(5.0, now_s - self._looked_s)
        self._looked_s = now_s
        if self._began_s is None:
            self._began_s, self._edges, self._contrast = now_s, seen.edges, seen.contrast
            return
        if self._is_strange(seen, told=self._since_s is not None) and now_s - self._began_s >= _LEARN_S:
            if self._since_s is None:
                self._since_s = now_s
            return
        self._since_s = None
        share = 1 - math.exp(-lasted_s / _USUAL_S)
        self._edges += share * (seen.edges - self._edges)
        self._contrast += share * (seen.contrast - self._contrast)

    def _is_strange(self, seen: LumaStatistics, *, told: bool) -> bool:
        if self._edges < _EDGES_LEAST:
            return False
        edges, contrast = seen.edges / self._edges, seen.contrast / max(1.0, self._contrast)
        if told:
            return edges < _BACK
        covered = (
            self._contrast >= _CONTRAST_LEAST and contrast < _COVERED and edges < 2 * _COVERED and seen.mean >= _DARK
        )
        return covered or (edges < _BLURRED_EDGES and edges < _BLURRED_RATIO * contrast)


def measure(plane: NDArray[np.uint8]) -> LumaStatistics:
    """Of a quarter of the rows, in blocks of 4 x 4: a sensor's noise is no edge. About 1 ms at 1080p."""
    height, width = plane.shape[0] // _ROW_STEP * _ROW_STEP, plane.shape[1] // _BLOCK * _BLOCK
    if height == 0 or width < 2 * _BLOCK:
        return LumaStatistics(0.0, 0.0, float(plane.mean()))
    luma = plane if plane.ndim == 2 else plane[:, :, 1]
    bands = luma[:height, :width].reshape(-1, _ROW_STEP, width)[:, :_BLOCK].mean(axis=1, dtype=np.float32)
    blocks = bands.reshape(bands.shape[0], -1, _BLOCK).mean(axis=2)
    edges = np.percentile(np.abs(np.diff(blocks, axis=1)), 95)
    return LumaStatistics(float(edges), float(blocks.std()), float(blocks.mean()))
