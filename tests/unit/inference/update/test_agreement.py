"""Two models are compared object by object, and judged only when enough was seen."""

from __future__ import annotations

import pytest

from vigie.contracts.detections import Detection
from vigie_inference.update.agreement import FrameTally, TrialTally, compare_frame, iou, judge
from vigie_inference.update.release import Rollout

ASKED = Rollout(frames=10, objects=5, agreement_min=0.8, slower_max=2.0)


def seen(label: str, left: float, top: float = 0.0, side: float = 10.0) -> Detection:
    return Detection(label, 0, 0.9, (left, top, left + side, top + side))


def tally(frames: int, *, matched: int = 0, flipped: int = 0, missing: int = 0, new: int = 0) -> TrialTally:
    found = TrialTally()
    found.add(FrameTally(matched, flipped, missing, new), "dock/1")
    for _ in range(frames - 1):
        found.add(FrameTally(), "dock/2")
    return found


def test_boxes_pair_by_place_and_each_object_counts_once() -> None:
    serving = [seen("bolt", 0), seen("nut", 100), seen("bolt", 200)]
    new = [seen("bolt", 1), seen("washer", 101), seen("bolt", 300), seen("bolt", 2)]
    assert compare_frame(serving, new) == FrameTally(matched=1, flipped=1, missing=1, new=2)


def test_where_two_overlap_equally_the_one_of_the_same_label_is_the_counterpart() -> None:
    assert compare_frame([seen("bolt", 0)], [seen("nut", 0), seen("bolt", 0)]) == FrameTally(matched=1, new=1)


def test_two_empty_frames_agree_without_counting_anything() -> None:
    assert compare_frame([], []) == FrameTally()
    assert tally(10).agreement is None


def test_overlap_is_that_of_areas() -> None:
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou((0, 0, 10, 10), (10, 0, 20, 10)) == 0.0


@pytest.mark.parametrize(
    ("found", "passed", "reason"),
    [
        (tally(9, matched=50), None, "9 of 10 frames"),
        (tally(10, matched=4), None, "4 of 5 objects"),
        (tally(10, matched=10), True, "agreement 1.000 over 10 frames"),
        (tally(10, matched=8, missing=2, new=3), False, "agrees with the serving model to 0.762"),
        (tally(10, matched=5, flipped=5), False, "5 with another label"),
        (tally(10, new=500), None, "0 of 5 objects"),
    ],
    ids=["few frames", "few objects", "equal", "sees less", "other labels", "nothing to compare with"],
)
def test_a_verdict_waits_for_frames_and_objects(found: TrialTally, passed: bool | None, reason: str) -> None:
    verdict = judge(ASKED, found, 10.0, 12.0)
    assert verdict.passed is passed
    assert reason in verdict.reason


def test_a_model_that_takes_too_long_is_refused_with_both_times() -> None:
    verdict = judge(ASKED, tally(10, matched=10), 10.0, 21.0)
    assert verdict.passed is False
    assert "21.0 ms" in verdict.reason
    assert "10.0 ms" in verdict.reason
    assert judge(ASKED, tally(10, matched=10), 10.0, 20.0).passed


def test_without_objects_asked_for_silence_of_both_passes() -> None:
    assert judge(Rollout(frames=10, objects=0), tally(10), None, None).passed


def test_examples_of_what_differs_are_kept_and_bounded() -> None:
    found = TrialTally()
    for number in range(20):
        found.add(FrameTally(matched=1, missing=1), f"dock/{number}")
    assert found.examples[0] == "dock/0: 1 equal, 0 other label, 1 missing, 0 new"
    assert len(found.examples) == 5
