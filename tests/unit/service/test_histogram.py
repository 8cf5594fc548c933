"""Quantiles out of histogram buckets."""

from __future__ import annotations

import pytest

from vigie.histogram import quantile


def test_a_quantile_is_interpolated_within_its_bucket() -> None:
    buckets = {"0.01": 10.0, "0.02": 30.0, "+Inf": 40.0}
    assert quantile(buckets, 0.125) == pytest.approx(0.005)
    assert quantile(buckets, 0.5) == pytest.approx(0.015)
    assert quantile(buckets, 0.75) == pytest.approx(0.02)


def test_beyond_the_last_bound_the_last_bound_is_all_that_is_known() -> None:
    assert quantile({"0.01": 1.0, "0.5": 2.0, "+Inf": 10.0}, 0.95) == 0.5


@pytest.mark.parametrize("buckets", [{}, {"0.01": 0.0, "+Inf": 0.0}], ids=["no bucket", "nothing observed"])
def test_of_nothing_there_is_no_quantile(buckets: dict[str, float]) -> None:
    assert quantile(buckets, 0.5) is None
