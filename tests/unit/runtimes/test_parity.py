"""Agreement with the reference by the task's measure, on the real reference frames of the shipped detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import models
from vigie.models import load_bundle
from vigie.models.card import Card
from vigie.runtimes.candidate import cpu_candidate
from vigie.runtimes.engines.engine import open_engine
from vigie.runtimes.parity import judge, match
from vigie.runtimes.reference_frames import reference_frames
from vigie.vision.detections import Detections

SHIPPED = load_bundle(Path(__file__).parents[3] / "shared/models/conveyor-parts")
FRAMES = reference_frames(SHIPPED)
TOP = 4  # of a YOLOX row: x, y, w, h, objectness, classes


def replay(spoil: Any = lambda outputs: outputs, *, empty: Any = None) -> Any:
    """An engine that gives the reference's own outputs, spoiled; ``empty`` are those of pictures without content."""
    by_picture = {tensor.tobytes(): outputs for tensor, outputs in FRAMES}
    nothing = [np.zeros_like(output) for output in FRAMES[0][1]] if empty is None else empty
    return lambda tensor: spoil([np.array(one) for one in by_picture.get(tensor.tobytes(), nothing)])


def only_output(change: Any) -> Any:
    return lambda outputs: [change(outputs[0]), *outputs[1:]]


def test_the_reference_agrees_with_itself_to_the_bit() -> None:
    found = judge(SHIPPED.card, replay(), FRAMES)
    assert (found.passed, found.metric, found.agreement, found.frames) == (True, "f1", 1.0, len(FRAMES))
    assert (found.recall, found.precision, found.iou_mean, found.score_diff) == (1.0, 1.0, 1.0, 0.0)
    assert (found.sqnr_db, found.cosine, found.why) == (200.0, 1.0, "")


def test_the_engine_of_this_machine_agrees() -> None:
    with open_engine(SHIPPED, cpu_candidate(SHIPPED.variants[0], 1)) as engine:
        found = judge(SHIPPED.card, engine.run, FRAMES)
    assert found.passed, found.why
    assert found.agreement > 0.95


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            only_output(lambda one: np.random.default_rng(1).random(one.shape, np.float32)),
            "F1 against the reference is 0",
        ),
        (only_output(np.zeros_like), "recall 0.000"),
        (only_output(lambda one: np.roll(one, 40, axis=1)), "F1 against"),
        (only_output(lambda one: np.full_like(one, np.nan)), "NaN or infinity"),
    ],
    ids=["noise", "blind", "boxes elsewhere", "NaN"],
)
def test_wrong_numbers_are_refused_and_the_reason_holds_the_figures(spoil: Any, words: str) -> None:
    found = judge(SHIPPED.card, replay(spoil), FRAMES)
    assert not found.passed
    assert words in found.why


def test_phantoms_cost_precision() -> None:
    def phantoms(outputs: list[Any]) -> list[Any]:
        outputs[0][0, :400:40, TOP:] = 0.95
        return outputs

    found = judge(SHIPPED.card, replay(phantoms), FRAMES)
    assert found.recall == 1.0
    assert found.precision < 0.9
    assert not found.passed


def test_a_score_that_moves_within_the_tolerance_is_no_disagreement() -> None:
    def weaker(outputs: list[Any]) -> list[Any]:
        outputs[0][..., TOP] *= 0.97
        return outputs

    found = judge(SHIPPED.card, replay(weaker), FRAMES)
    assert found.passed
    assert found.score_diff > 0


def test_nan_on_a_saturated_picture_is_found_though_the_reference_frames_are_right() -> None:
    infinite = [np.full_like(output, np.inf) for output in FRAMES[0][1]]
    found = judge(SHIPPED.card, replay(empty=infinite), FRAMES)
    assert (found.passed, found.finite) == (False, False)


def test_the_minimum_is_the_cards_where_it_states_one() -> None:
    found = judge(SHIPPED.card, replay(only_output(lambda one: one * np.float32(0.98))), FRAMES, minimum=1.01)
    assert (found.passed, found.minimum) == (False, 1.01)


def test_a_classifier_is_judged_by_its_top_class() -> None:
    card = classifier_card()
    frames = [
        (np.full((64, 64, 3), level, np.uint8), [np.eye(3, dtype=np.float32)[level % 3][None]]) for level in (9, 10)
    ]
    answers = {9: 0, 10: 2}

    def run(tensor: Any) -> list[Any]:
        return [np.eye(3, dtype=np.float32)[answers.get(int(tensor[0, 0, 0]), 0)][None]]

    found = judge(card, run, frames)
    assert (found.metric, found.agreement, found.passed) == ("top1", 0.5, False)
    assert "top-1 agrees in 0.500" in found.why


def test_without_a_reference_only_finiteness_is_judged() -> None:
    found = judge(SHIPPED.card, replay(), [])
    assert (found.passed, found.metric) == (True, "none")
    assert not judge(SHIPPED.card, lambda _tensor: [np.array([np.nan], np.float32)], []).passed


def test_each_detection_is_in_one_pair_at_most() -> None:
    box = np.array([[0, 0, 10, 10]], np.float32)
    twice = Detections(np.repeat(box, 2, axis=0), np.array([0.9, 0.8], np.float32), np.zeros(2, np.int32))
    once = Detections(box, np.array([0.9], np.float32), np.zeros(1, np.int32))
    assert match(twice, once, iou_min=0.5, score_within=0.2) == [(0, 0, 1.0)]
    assert match(once, Detections.none(), iou_min=0.5, score_within=0.2) == []


def classifier_card() -> Card:
    import msgspec

    card = models.make_card("classifier", [(1, 3)], classes=3)
    return msgspec.structs.replace(card, task="classification")
