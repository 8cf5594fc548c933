"""The population stability index of two samples, and how large it gets by chance. Pure.

Sources: N. Siddiqi, Credit Risk Scorecards (Wiley, 2006), for the index and its usual bounds (0.1 little, 0.25 much);
B. Yurdakul and J. Naranjo, Statistical properties of the population stability index, Journal of Risk Model Validation
14 (2020), for its distribution: (1/N + 1/M) times a chi-squared variable of one degree of freedom fewer than there are
bins. The quantile of that is Wilson and Hilferty's approximation (PNAS 17, 1931).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

SCORE_BINS = 20
# A bin holds at least this share of the base: an index over nearly empty bins says nothing.
SCORE_SHARE_MIN = 0.1
CLASS_SHARE_MIN = 0.02


def index(base: Sequence[float], now: Sequence[float]) -> float:
    """Sum over the bins of (now - base) ln(now / base), in shares of each sample; half an object is added to each bin.

    Args: base, now: counts by bin, of the same bins.
    """
    if len(base) != len(now) or not base:
        raise ValueError(f"expected counts of the same bins, got {len(base)} and {len(now)}")
    base_sum, now_sum = sum(base) + 0.5 * len(base), sum(now) + 0.5 * len(now)
    total = 0.0
    for one, two in zip(base, now, strict=True):
        before, after = (one + 0.5) / base_sum, (two + 0.5) / now_sum
        total += (after - before) * math.log(after / before)
    return total


def by_chance(bins: int, base: float, now: float, *, chance: float) -> float:
    """What the index of two samples of one and the same distribution exceeds with probability ``chance``.

    Args: base, now: sizes of the samples.
    """
    freedom = bins - 1
    if freedom < 1 or base <= 0 or now <= 0:
        return 0.0
    spread = 2 / (9 * freedom)
    quantile = freedom * (1 - spread + NormalDist().inv_cdf(1 - chance) * math.sqrt(spread)) ** 3
    return (1 / base + 1 / now) * quantile


def score_bin(score: float) -> int:
    """Of ``SCORE_BINS`` equally wide ones between 0 and 1."""
    return min(SCORE_BINS - 1, max(0, int(score * SCORE_BINS)))


def binned_scores(base: Sequence[float], now: Sequence[float]) -> tuple[list[float], list[float]]:
    """Neighbouring bins put together until each holds a tenth of the base; what the base never had is in one more."""
    least = SCORE_SHARE_MIN * sum(base)
    before, after = [0.0], [0.0]
    held = [position for position, count in enumerate(base) if count]
    inside = range(held[0], held[-1] + 1) if held else range(0)
    for position in inside:
        if before[-1] >= least and before[-1] > 0:
            before.append(0.0)
            after.append(0.0)
        before[-1] += base[position]
        after[-1] += now[position]
    if len(before) > 1 and before[-1] < least:
        before[-2:] = [before[-2] + before[-1]]
        after[-2:] = [after[-2] + after[-1]]
    outside = sum(now) - sum(after)
    return [*before, 0.0], [*after, outside]


def binned_classes(base: Mapping[str, float], now: Mapping[str, float]) -> tuple[list[float], list[float]]:
    """A bin for each class that makes up a share of the base; the rest, and what the base never had, in one more."""
    total = sum(base.values())
    names = sorted(name for name, count in base.items() if count >= CLASS_SHARE_MIN * total)
    before = [base[name] for name in names]
    after = [now.get(name, 0.0) for name in names]
    before.append(total - sum(before))
    after.append(sum(now.values()) - sum(after))
    return before, after
