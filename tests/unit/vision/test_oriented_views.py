"""Oriented boxes that several views of one frame showed: one object once, parts together at the surest one's angle."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vigie.contracts.tensors import Merge
from vigie.vision.detections import Detections
from vigie.vision.merging import merge_views
from vigie.vision.oriented import hull_xyxy

LEFT, RIGHT = (0.0, 0.0, 120.0, 100.0), (80.0, 0.0, 200.0, 100.0)


def seen(*boxes: tuple[float, float, float, float, float, float]) -> Detections:
    """Of centre, size, angle in degrees and score; clipped to nothing."""
    oriented = np.array([[*box[:4], math.radians(box[4])] for box in boxes], np.float32).reshape(-1, 5)
    return Detections(
        hull_xyxy(oriented),
        np.array([box[5] for box in boxes], np.float32),
        np.zeros(len(boxes), np.int32),
        oriented=oriented,
    )


@pytest.mark.parametrize("merge", ["nms", "nmm"])
def test_one_strip_that_two_views_show_whole_is_told_once_as_the_surer_saw_it(merge: Merge) -> None:
    found = merge_views(
        [seen((100, 50, 30, 6, 30, 0.7)), seen((100, 50, 30, 6, 32, 0.9))], [LEFT, RIGHT], merge=merge, iou_max=0.5
    )
    assert found.scores.tolist() == pytest.approx([0.9])
    assert found.oriented is not None
    assert found.oriented[0] == pytest.approx([100, 50, 30, 6, math.radians(32)], abs=1e-4)


def test_crossed_strips_have_one_upright_box_and_stay_two() -> None:
    views = [seen((100, 50, 30, 4, 45, 0.9)), seen((100, 50, 30, 4, 135, 0.8))]
    assert len(merge_views(views, [LEFT, RIGHT], merge="nmm", iou_max=0.5)) == 2


def test_a_part_of_a_strip_that_another_view_shows_whole_is_not_told_beside_it() -> None:
    part, whole = seen((102, 50, 36, 8, 0, 0.9)), seen((130, 50, 92, 8, 0, 0.6))
    found = merge_views([part, whole], [LEFT, RIGHT], merge="nmm", iou_max=0.8)
    assert found.oriented is not None
    assert found.oriented.tolist() == [pytest.approx([130, 50, 92, 8, 0])]


def test_parts_that_no_view_shows_whole_become_one_box_along_the_surest_part() -> None:
    parts = [seen((70, 50, 100, 10, 0, 0.9)), seen((130, 50, 100, 10, 0, 0.6))]
    found = merge_views(parts, [LEFT, RIGHT], merge="nmm", iou_max=0.3)
    assert found.oriented is not None
    assert found.oriented.tolist() == [pytest.approx([100, 50, 160, 10, 0])]
    assert found.boxes_xyxy.tolist() == [pytest.approx([20, 45, 180, 55])]
    assert found.scores.tolist() == pytest.approx([0.9])


def test_parts_of_a_turned_strip_are_put_together_at_its_angle() -> None:
    turn = math.radians(5)
    along = np.array([math.cos(turn), math.sin(turn)])
    middle = np.array([100.0, 50.0])
    first, second = middle - 25 * along, middle + 25 * along
    parts = [seen((*first, 60, 8, 5, 0.9)), seen((*second, 60, 8, 5, 0.8))]
    views = [(0.0, 0.0, 106.0, 100.0), (94.0, 0.0, 200.0, 100.0)]
    found = merge_views(parts, views, merge="nmm", iou_max=0.3)
    assert found.oriented is not None
    assert found.oriented.tolist() == [pytest.approx([100, 50, 110, 8, turn], abs=1e-3)]


def test_a_view_that_saw_nothing_takes_nothing_from_the_other() -> None:
    found = merge_views([seen(), seen((150, 50, 30, 6, 10, 0.5))], [LEFT, RIGHT], merge="nmm", iou_max=0.5)
    assert found.oriented is not None
    assert found.oriented.shape == (1, 5)
