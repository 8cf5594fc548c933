"""From a histogram to the range that is worth representing: four methods, compared by the kit on real frames.

minmax keeps everything that was seen; percentile cuts the rarest; entropy loses the least information (Migacz, "8-bit
inference with TensorRT", 2017); mse makes the mean squared rounding and clipping error smallest (Banner et al.,
"Post training 4-bit quantization", 2019, for the trade).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vigie_devkit.quantize.histograms import HALF_BINS, Histogram

Method = Literal["minmax", "percentile", "entropy", "mse"]
METHODS: tuple[Method, ...] = ("minmax", "percentile", "entropy", "mse")

PERCENTILE = 99.99
_LEVELS = 256
# Shares of the full range that are tried. Below a quarter clipping ruins every real tensor seen.
_SHARES = np.linspace(0.25, 1.0, 76)


def clip_range(histogram: Histogram, method: Method) -> tuple[float, float]:
    """The range (low, high) with low <= 0 <= high, so that zero (padding, ReLU) is exact.

    An empty histogram, or one of zeros only, gives (0, 0): the caller decides what a dead tensor means.
    """
    if not histogram.total:
        return 0.0, 0.0
    low, high = min(histogram.lowest, 0.0), max(histogram.highest, 0.0)
    if method == "minmax" or histogram.reach == 0.0:
        return low, high
    if method == "percentile":
        return _percentile(histogram, low, high)
    return _search(histogram, low, high, _entropy_loss if method == "entropy" else _squared_loss)


def _percentile(histogram: Histogram, low: float, high: float) -> tuple[float, float]:
    share = np.cumsum(histogram.counts) / histogram.total
    tail = (100.0 - PERCENTILE) / 100.0
    width = histogram.reach / HALF_BINS
    first = int(np.searchsorted(share, tail))
    last = int(np.searchsorted(share, 1.0 - tail))
    cut_low = -histogram.reach + first * width
    cut_high = -histogram.reach + (last + 1) * width
    return max(low, min(cut_low, 0.0)), min(high, max(cut_high, 0.0))


def _search(
    histogram: Histogram, low: float, high: float, loss: Callable[[Histogram, float, float], float]
) -> tuple[float, float]:
    """Both ends shrink by the same factor towards zero, and a side that is short already stays."""
    largest = max(-low, high)
    best, best_loss = (low, high), np.inf
    for share in _SHARES:
        tried = max(low, -float(share) * largest), min(high, float(share) * largest)
        cost = loss(histogram, *tried)
        if cost < best_loss:
            best, best_loss = tried, cost
    return best


def _squared_loss(histogram: Histogram, low: float, high: float) -> float:
    values = histogram.centres
    step = (high - low) / (_LEVELS - 1)
    rounded = np.clip(np.rint((values - low) / step), 0, _LEVELS - 1) * step + low
    return float((histogram.counts * (values - rounded) ** 2).sum())


def _entropy_loss(histogram: Histogram, low: float, high: float) -> float:
    """Kullback-Leibler divergence of the quantized distribution from the clipped one."""
    values, counts = histogram.centres, histogram.counts.astype(np.float64)
    inside = (values >= low) & (values <= high)
    if inside.sum() < 2:
        return float("inf")
    reference = counts[inside].copy()
    reference[0] += counts[values < low].sum()
    reference[-1] += counts[values > high].sum()
    bucket = np.minimum(((values[inside] - low) / (high - low) * _LEVELS).astype(np.int64), _LEVELS - 1)
    original = counts[inside]
    alive = original > 0
    mass = np.bincount(bucket, weights=original, minlength=_LEVELS)
    filled = np.bincount(bucket, weights=alive, minlength=_LEVELS)
    spread: NDArray[np.float64] = np.where(alive, mass[bucket] / np.maximum(filled[bucket], 1), 0.0)
    return _divergence(reference, spread)


def _divergence(reference: NDArray[np.float64], quantized: NDArray[np.float64]) -> float:
    p = reference / reference.sum()
    q = quantized / max(quantized.sum(), 1e-12)
    some = p > 0
    # What the quantized distribution cannot say at all costs much, not infinitely much.
    return float((p[some] * np.log(p[some] / np.maximum(q[some], 1e-9))).sum())
