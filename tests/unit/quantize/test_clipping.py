"""Histograms that grow without losing count, and the ranges taken from them."""

from __future__ import annotations

import numpy as np
import pytest

from vigie_devkit.quantize.clipping import METHODS, clip_range
from vigie_devkit.quantize.histograms import HALF_BINS, Histogram


def filled(*frames: np.ndarray) -> Histogram:
    histogram = Histogram()
    for frame in frames:
        histogram.add(frame.astype(np.float32))
    return histogram


def test_frames_in_any_order_give_the_same_histogram() -> None:
    rng = np.random.default_rng(1)
    frames = [rng.normal(0, scale, 5000) for scale in (0.1, 1.0, 30.0)]
    forth, back = filled(*frames), filled(*frames[::-1])
    assert forth.total == back.total == 15000
    assert (forth.lowest, forth.highest, forth.reach) == (back.lowest, back.highest, back.reach)
    assert np.abs(forth.counts - back.counts).sum() <= 2, "rounding may move a value over a bin's edge"


def test_extremes_of_a_large_tensor_are_exact_though_its_histogram_is_sampled() -> None:
    values = np.zeros(1 << 18)
    values[7], values[8] = -3.0, 11.0
    histogram = filled(values)
    assert (histogram.lowest, histogram.highest) == (-3.0, 11.0)
    assert histogram.total < 1 << 17


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_tensor_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        filled(np.array([1.0, bad]))


def test_a_dead_tensor_has_no_range() -> None:
    for method in METHODS:
        assert clip_range(Histogram(), method) == (0.0, 0.0)
        assert clip_range(filled(np.zeros(10)), method) == (0.0, 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_zero_is_always_inside_and_nothing_beyond_what_was_seen(method: str) -> None:
    for values in (np.linspace(2.0, 5.0, 999), np.linspace(-5.0, -2.0, 999), np.linspace(-1.0, 4.0, 999)):
        low, high = clip_range(filled(values), method)  # type: ignore[arg-type]
        assert min(values.min(), 0.0) <= low <= 0.0 <= high <= max(values.max(), 0.0)


def test_one_outlier_moves_minmax_only() -> None:
    rng = np.random.default_rng(2)
    values = np.append(rng.normal(0, 1, 50_000), 400.0)
    histogram = filled(values)
    assert clip_range(histogram, "minmax")[1] == 400.0
    for method in ("percentile", "entropy"):
        assert clip_range(histogram, method)[1] < 210.0, method  # type: ignore[arg-type]


def test_mse_finds_the_range_with_the_smallest_error() -> None:
    rng = np.random.default_rng(3)
    values = rng.laplace(0, 1, 60_000)
    histogram = filled(values)

    def error(low: float, high: float) -> float:
        step = (high - low) / 255
        return float(np.mean((values - (np.clip(np.rint((values - low) / step), 0, 255) * step + low)) ** 2))

    assert error(*clip_range(histogram, "mse")) <= error(*clip_range(histogram, "minmax"))
    assert histogram.counts.shape == (2 * HALF_BINS,)
