"""The search finds the fewest float layers, and says when there is no mix."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from support.trained import face_detector
from vigie_devkit.quantize.judge import Budget, Score
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.search import INTEGER_SHARE_MIN, search_mix

NETWORK = Network(face_detector())
NAMES = [layer.name for layer in NETWORK.layers]
# The light layers first: keeping them all float leaves most of the work in integers.
RANKED = sorted(NAMES, key=lambda name: NETWORK.layer(name).multiply_adds)
REFERENCE = Score("agreement f1", 1.0, labelled=False)


class Costs:
    """A network whose agreement falls by a known amount for each layer in integers."""

    def __init__(self, harm: dict[str, float]) -> None:
        self.harm = harm
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, kept: Sequence[str]) -> Score:
        self.asked.append(tuple(sorted(kept)))
        lost = sum(cost for name, cost in self.harm.items() if name not in kept)
        return Score("agreement f1", 1.0 - lost, labelled=False)


@pytest.mark.parametrize(
    ("harm", "wanted"),
    [
        ({}, []),
        ({RANKED[0]: 0.2}, RANKED[:1]),
        ({RANKED[0]: 0.2, RANKED[1]: 0.1, RANKED[2]: 0.1}, RANKED[:3]),
        ({RANKED[2]: 0.2}, RANKED[2:3]),
    ],
    ids=["none", "one", "three", "only-the-third"],
)
def test_the_fewest_layers_are_kept_float(harm: dict[str, float], wanted: list[str]) -> None:
    costs = Costs(harm)
    found = search_mix(NETWORK, RANKED, costs, REFERENCE, Budget(min_agreement=0.95))
    assert found.best is not None
    assert sorted(found.best.float_layers) == sorted(wanted)
    assert found.best.allowed
    assert len(costs.asked) == len(set(costs.asked)), "no mix is tried twice"
    assert len(found.trials) == len(costs.asked)


def test_no_mix_keeps_the_budget_and_the_curve_is_told() -> None:
    found = search_mix(NETWORK, RANKED, Costs(dict.fromkeys(NAMES, 0.5)), REFERENCE, Budget())
    assert found.best is None
    assert len(found.trials) >= 3
    assert all(trial.integer_share >= INTEGER_SHARE_MIN for trial in found.trials)
    assert not any(trial.allowed for trial in found.trials)


@pytest.mark.parametrize(
    ("labelled", "reference", "had", "allowed"),
    [
        (True, 0.980, 0.975, True),
        (True, 0.980, 0.9749, False),
        (True, 0.980, 0.990, True),
        (True, 0.70, 0.60, False),
        (False, 1.0, 0.95, True),
        (False, 1.0, 0.949, False),
    ],
)
@pytest.mark.parametrize("metric", ["mAP50", "agreement f1", "agreement of the top classes"])
def test_the_budget_is_points_with_labels_and_agreement_without_whatever_the_measure_is_called(
    metric: str, reference: float, had: float, *, labelled: bool, allowed: bool
) -> None:
    before, after = (Score(metric, value, labelled=labelled) for value in (reference, had))
    assert Budget(0.5, 0.95).allows(before, after) is allowed


def test_few_frames_are_not_asked_for_more_than_they_can_tell() -> None:
    strict = Budget(0.5, 0.95)
    widened = strict.widened(2.0)
    reference, had = Score("mAP50", 0.980), Score("mAP50", 0.960)
    assert not strict.allows(reference, had)
    assert widened.allows(reference, had)
    assert not widened.allows(reference, Score("mAP50", 0.954))
    assert widened.min_agreement == strict.min_agreement, "agreement is not widened"
