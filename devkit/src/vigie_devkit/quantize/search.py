"""The fewest layers in floating point that keep the accuracy within the budget.

The most harmful layers are kept float, one, two, four, eight ..., until the budget is met; then halving finds how few
of them are needed, and each is given back once if the budget survives it. A dozen trials, none of which writes a file.
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
class MixTrial:
    """One mix that was tried: ``float_layers`` stayed float."""

    float_layers: tuple[str, ...]
    integer_share: float
    score: Score
    allowed: bool


@dataclass(frozen=True, slots=True)
class FoundMix:
    """``best``: the mix to write, ``None`` if no mix kept the budget; ``trials``: the curve, in the order tried."""

    best: MixTrial | None
    trials: tuple[MixTrial, ...]


def search_mix(
    network: Network,
    ranked: Sequence[str],
    try_mix: Callable[[Sequence[str]], Score],
    reference: Score,
    budget: Budget,
    *,
    at_least: Sequence[str] = (),
) -> FoundMix:
    """Search along ``ranked`` (most harmful first).

    Args: try_mix: the score with these layers float. at_least: layers that stay float whatever the accuracy.
    """
    attempt = _Attempts(network, try_mix, reference, budget, tuple(at_least))
    order = [name for name in ranked if name not in set(at_least)]
    failed, passed = _bracket(attempt, order)
    if passed is None:
        return FoundMix(None, tuple(attempt.trials))
    while passed - failed > 1:
        middle = (passed + failed) // 2
        if attempt(order[:middle]).allowed:
            passed = middle
        else:
            failed = middle
    kept = _give_back(attempt, order[:passed])
    return FoundMix(attempt(kept), tuple(attempt.trials))


class _Attempts:
    """Tries mixes and remembers them."""

    def __init__(
        self,
        network: Network,
        try_mix: Callable[[Sequence[str]], Score],
        reference: Score,
        budget: Budget,
        at_least: tuple[str, ...],
    ) -> None:
        self.network, self.at_least = network, at_least
        self.trials: list[MixTrial] = []
        self._try_mix, self._reference, self._budget = try_mix, reference, budget

    def __call__(self, layers: Sequence[str]) -> MixTrial:
        kept = tuple(dict.fromkeys([*self.at_least, *layers]))
        known = next((trial for trial in self.trials if set(trial.float_layers) == set(kept)), None)
        if known is not None:
            return known
        score = self._try_mix(kept)
        trial = MixTrial(kept, self.network.integer_share(kept), score, self._budget.allows(self._reference, score))
        self.trials.append(trial)
        return trial


def _bracket(attempt: _Attempts, order: Sequence[str]) -> tuple[int, int | None]:
    """The largest number of layers that failed and the first that passed, ``None`` if none did."""
    failed = -1
    for count in _growing(len(order)):
        if attempt.network.integer_share([*attempt.at_least, *order[:count]]) < INTEGER_SHARE_MIN:
            break
        if attempt(order[:count]).allowed:
            return failed, count
        failed = count
    return failed, None


def _give_back(attempt: _Attempts, kept: Sequence[str]) -> list[str]:
    """Without the layers that turn out not to be needed; what returns the most arithmetic is asked first."""
    costs = {layer.name: layer.multiply_adds for layer in attempt.network.layers}
    left = list(kept)
    for name in sorted(kept, key=lambda one: -costs[one])[:GIVEN_BACK_MAX]:
        fewer = [other for other in left if other != name]
        if attempt(fewer).allowed:
            left = fewer
    return left


def _growing(limit: int) -> list[int]:
    counts, count = [0], 1
    while count < limit:
        counts.append(count)
        count *= 2
    return [*counts, limit] if limit else counts
