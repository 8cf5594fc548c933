"""What two models see alike, what one misses, what changes its class."""

from __future__ import annotations

import numpy as np
import pytest

from vigie.vision.detections import Detections
from vigie_devkit.accuracy.agreement import agreement, match_frame


def seen(*rows: tuple[float, float, int, float]) -> Detections:
    """Squares of 10 pixels at x, y with class and score."""
    boxes = np.array([(x, y, x + 10, y + 10) for x, y, _, _ in rows], np.float32).reshape(-1, 4)
    return Detections(
        boxes, np.array([row[3] for row in rows], np.float32), np.array([row[2] for row in rows], np.int32)
    )


NONE = Detections.none()
ONE = seen((0, 0, 1, 0.9))


@pytest.mark.parametrize(
    ("first", "second", "f1", "missing", "new", "flips"),
    [
        (NONE, NONE, 1.0, 0, 0, 0),
        (ONE, ONE, 1.0, 0, 0, 0),
        (ONE, NONE, 0.0, 1, 0, 0),
        (NONE, ONE, 0.0, 0, 1, 0),
        (ONE, seen((1, 0, 1, 0.7)), 1.0, 0, 0, 0),
        (ONE, seen((4, 0, 1, 0.9)), 0.0, 1, 1, 0),
        (ONE, seen((0, 0, 2, 0.9)), 0.0, 0, 0, 1),
        (ONE, seen((0, 0, 1, 0.9), (1, 0, 1, 0.8)), 2 / 3, 0, 1, 0),
        (seen((0, 0, 1, 0.9), (50, 0, 1, 0.9)), ONE, 2 / 3, 1, 0, 0),
    ],
    ids=["nothing", "same", "missing", "new", "moved", "far", "flip", "doubled", "one-of-two"],
)
def test_frames_are_matched_one_to_one(
    first: Detections, second: Detections, f1: float, missing: int, new: int, flips: int
) -> None:
    total = agreement([first], [second])
    assert total.f1 == pytest.approx(f1)
    assert (total.missing, total.new, total.flips) == (missing, new, flips)


def test_the_nearest_pair_is_taken_first() -> None:
    match = match_frame(seen((0, 0, 1, 0.5), (4, 0, 1, 0.9)), seen((4, 0, 1, 0.9), (1, 0, 1, 0.4)), iou_min=0.3)
    assert set(match.pairs) == {(0, 1), (1, 0)}


def test_means_are_over_matched_pairs() -> None:
    total = agreement([ONE, seen((0, 0, 1, 0.5))], [seen((0, 0, 1, 0.7)), seen((0, 0, 1, 0.5))])
    assert total.mean_iou == pytest.approx(1.0)
    assert total.mean_score_difference == pytest.approx(0.1)
    assert total.frames == 2


def test_other_numbers_of_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        agreement([ONE], [])
