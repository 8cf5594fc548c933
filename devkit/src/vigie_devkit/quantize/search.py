"""The fewest layers in floating point that keep the accuracy within the budget.

The most harmful layers are kept float, one, two, four, eight ..., until the budget is met; then halving finds how few of
them are needed, and each is given back once if the budget survives it. A dozen trials, each without writing a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vigie_devkit.quantize.judge import Budget, Score
from vigie_devkit.quantize.layers import Network

# Beyond this share of float multiply-adds an int8 file is one in name only.
INTEGER_SHARE_MIN = 0.5
GIVEN_BACK_MAX = 6


@dataclass(frozen=True, slots=True)
class Trial:
    """One mix that was tried: ``float_layers`` stayed float."""

    float_layers: tuple[str, ...]
    integer_share: float
    score: Score
    allowed: bool


@dataclass(frozen=True, slots=True)
class Found:
    """``best``: the mix to write, ``None`` if no mix kept the budget; ``trials``: the curve, in the order tried."""

    best: Trial | None
    trials: tuple[Trial, ...]


def search_mix(
    network: Network,
    ranked: Sequence[str],
    try_mix: Callable[[Sequence[str]], Score],
    reference: Score,
    budget: Budget,
    *,
    at_least: Sequence[str] = (),
) -> Found:
    """Search along ``ranked`` (most harmful first).

    Args: try_mix: the score with these layers float. at_least: layers that stay float whatever the accuracy.
    """
    trials: list[Trial] = []

    def attempt(layers: Sequence[str]) -> Trial:
        kept = tuple(dict.fromkeys([*at_least, *layers]))
        known = next((trial for trial in trials if set(trial.float_layers) == set(kept)), None)
        if known is not None:
            return known
        score = try_mix(kept)
        trial = Trial(kept, network.integer_share(kept), score, budget.allows(reference, score))
        trials.append(trial)
        return trial

    order = [name for name in ranked if name not in set(at_least)]
    failed, passed = -1, None
    for count in _growing(len(order)):
        if network.integer_share([*at_least, *order[:count]]) < INTEGER_SHARE_MIN:
            break
        if attempt(order[:count]).allowed:
            passed = count
            break
        failed = count
    if passed is None:
        return Found(None, tuple(trials))
    while passed - failed > 1:
        middle = (passed + failed) // 2
        if attempt(order[:middle]).allowed:
            passed = middle
        else:
            failed = middle
    kept = order[:passed]
    # The largest first: what returns the most arithmetic to integers is asked first.
    costs = {layer.name: layer.multiply_adds for layer in network.layers}
    for name in sorted(kept, key=lambda one: -costs[one])[:GIVEN_BACK_MAX]:
        fewer = [other for other in kept if other != name]
        if attempt(fewer).allowed:
            kept = fewer
    return Found(attempt(kept), tuple(trials))


def _growing(limit: int) -> list[int]:
    counts, count = [0], 1
    while count < limit:
        counts.append(count)
        count *= 2
    return [*counts, limit] if limit else counts
