"""The population stability index: its figures, and how large chance makes it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vigie_inference.drift.stability import (
    SCORE_BINS,
    binned_classes,
    binned_scores,
    by_chance,
    index,
    score_bin,
)


def test_the_index_of_two_known_distributions_is_the_sum_of_its_terms() -> None:
    # Large counts, so that the half object per bin does not show: 0.5/0.3/0.2 against 0.4/0.3/0.3.
    found = index([500_000, 300_000, 200_000], [400_000, 300_000, 300_000])
    assert found == pytest.approx(-0.1 * math.log(0.4 / 0.5) + 0.1 * math.log(0.3 / 0.2), abs=1e-4)


def test_equal_shares_have_no_index_whatever_the_sizes() -> None:
    assert index([100, 200, 300], [1000, 2000, 3000]) == pytest.approx(0.0, abs=1e-3)


def test_a_class_that_vanishes_gives_a_large_and_finite_index() -> None:
    assert 1.0 < index([500, 500], [1000, 0]) < 10.0


@pytest.mark.parametrize(("bins", "base", "now"), [(5, 300, 300), (10, 2000, 400), (3, 250, 5000)])
def test_chance_exceeds_its_bound_as_often_as_it_is_said_to(bins: int, base: int, now: int) -> None:
    rng = np.random.default_rng(bins)
    shares = np.full(bins, 1 / bins)
    bound = by_chance(bins, base, now, chance=0.05)
    draws = 4000
    exceeded = sum(
        index(list(rng.multinomial(base, shares)), list(rng.multinomial(now, shares))) > bound for _ in range(draws)
    )
    # Five in a hundred, to within four standard deviations of 4000 draws and the half objects.
    assert 0.03 < exceeded / draws < 0.065


def test_score_bins_are_merged_until_each_holds_a_tenth_of_the_base() -> None:
    base = [0.0] * SCORE_BINS
    for score, count in ((0.31, 5), (0.52, 40), (0.71, 50), (0.93, 100), (1.0, 5)):
        base[score_bin(score)] += count
    before, after = binned_scores(base, base)
    assert before == after
    assert sum(before) == 200
    assert min(before[:-1]) >= 20
    assert before[-1] == 0


def test_scores_that_the_base_never_had_are_not_lost_in_its_only_bin() -> None:
    base, now = [0.0] * SCORE_BINS, [0.0] * SCORE_BINS
    base[score_bin(0.9)] = now[score_bin(0.4)] = 500
    assert index(*binned_scores(base, now)) > 5


def test_rare_classes_and_new_ones_share_a_bin() -> None:
    before, after = binned_classes({"car": 500, "person": 490, "dog": 10}, {"car": 50, "cat": 25, "dog": 5})
    assert (before, after) == ([500, 490, 10], [50, 0, 30])
