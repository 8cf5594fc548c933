"""What the budget is about: every labelled measure, on every source by itself."""

from __future__ import annotations

import pytest

from vigie_devkit.quantize.judge import Budget, Score

NORMAL, HARD = "synthetic://conveyor?seed=1", "synthetic://conveyor?seed=2&difficulty=hard"


def score(normal: tuple[float, float], hard: tuple[float, float]) -> Score:
    figures = {
        f"{measure}, {source}": value
        for source, values in ((NORMAL, normal), (HARD, hard))
        for measure, value in zip(("mAP50", "mAP50-95"), values, strict=True)
    }
    return Score("mAP50", (normal[0] + hard[0]) / 2, figures, tuple(figures))


REFERENCE = score((0.99, 0.80), (0.90, 0.60))


@pytest.mark.parametrize(
    ("had", "allowed", "worst"),
    [
        (score((0.99, 0.80), (0.90, 0.60)), True, f"mAP50, {NORMAL}"),
        (score((0.99, 0.796), (0.90, 0.60)), True, f"mAP50-95, {NORMAL}"),
        (score((0.99, 0.79), (0.90, 0.60)), False, f"mAP50-95, {NORMAL}"),
        (score((1.00, 0.82), (0.89, 0.60)), False, f"mAP50, {HARD}"),
        (score((1.00, 0.82), (0.92, 0.59)), False, f"mAP50-95, {HARD}"),
    ],
    ids=["nothing-lost", "within", "looser-boxes", "hard-scenes", "hard-boxes"],
)
def test_what_is_gained_on_one_source_does_not_pay_for_another(had: Score, allowed: bool, worst: str) -> None:
    budget = Budget(max_drop=0.5)
    assert budget.allows(REFERENCE, had) is allowed
    assert budget.most_lost(REFERENCE, had)[0] == worst


def test_without_several_measures_the_headline_decides() -> None:
    budget = Budget(max_drop=0.5)
    assert budget.allows(Score("top1", 0.9), Score("top1", 0.896))
    assert not budget.allows(Score("top1", 0.9), Score("top1", 0.89))
    reference, had = (Score("agreement f1", value, labelled=False) for value in (1.0, 0.97))
    assert budget.missing(reference, had) == pytest.approx(-0.02)
