"""Box arithmetic and suppression against loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import reference_decode as slow
from vigie.vision.boxes import area_xyxy, clip_xyxy, iou_matrix, xywh_to_xyxy, xyxy_to_xywh
from vigie.vision.detections import Detections
from vigie.vision.matching import count_matched
from vigie.vision.nms import nms
from vigie.vision.oriented import oriented_nms


def random_boxes(count: int, seed: int, spread: float = 400.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, spread, (count, 2))
    boxes = np.concatenate((corner, corner + rng.uniform(5, 120, (count, 2))), axis=1).astype(np.float32)
    return boxes, rng.uniform(0, 1, count).astype(np.float32), rng.integers(0, 3, count).astype(np.int32)


def test_centres_and_corners_are_inverse() -> None:
    boxes, _, _ = random_boxes(50, 1)
    assert xywh_to_xyxy(xyxy_to_xywh(boxes)) == pytest.approx(boxes, abs=1e-3)
    assert xywh_to_xyxy(np.array([[10, 20, 4, 6]], np.float32)).tolist() == [[8, 17, 12, 23]]


def test_clipping_keeps_what_is_inside() -> None:
    boxes = np.array([[-1, -2, 50, 60], [3, 4, 5, 6]], np.float32)
    assert clip_xyxy(boxes, (40, 30)).tolist() == [[0, 0, 30, 40], [3, 4, 5, 6]]


def test_inverted_boxes_have_no_area() -> None:
    assert area_xyxy(np.array([[5, 5, 2, 9], [0, 0, 2, 3]], np.float32)).tolist() == [0, 6]


def test_iou_is_that_of_the_loop() -> None:
    left, right = random_boxes(30, 2)[0], random_boxes(20, 3)[0]
    expected = [[slow.overlap(a, b) for b in right.tolist()] for a in left.tolist()]
    assert iou_matrix(left, right) == pytest.approx(np.array(expected), abs=1e-5)
    assert iou_matrix(np.zeros((1, 4), np.float32), np.zeros((2, 4), np.float32)).tolist() == [[0, 0]]
    assert iou_matrix(np.empty((0, 4), np.float32), right).shape == (0, 20)


def test_overlap_of_touching_and_of_empty_boxes_is_zero_in_the_boxes_own_precision() -> None:
    boxes = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [5, 5, 5, 9]], np.float64)
    overlap = iou_matrix(boxes, boxes)
    assert overlap.dtype == np.float64
    assert overlap[0].tolist() == [1.0, 0.0, 0.0]


@given(count=st.integers(0, 60), seed=st.integers(0, 10_000), iou_max=st.floats(0.1, 0.9))
@settings(deadline=None, max_examples=60)
def test_suppression_keeps_what_the_loop_keeps(count: int, seed: int, iou_max: float) -> None:
    boxes, scores, classes = random_boxes(count, seed, spread=150.0)
    expected = slow.suppress(
        [(int(c), float(s), tuple(b)) for b, s, c in zip(boxes.tolist(), scores, classes, strict=True)], iou_max
    )
    kept = nms(boxes, scores, classes, iou_max=iou_max)
    assert [float(scores[index]) for index in kept] == [score for _, score, _ in expected]


@pytest.mark.parametrize("block", [1, 7, 128, 1000])
def test_the_size_of_a_block_changes_nothing(block: int) -> None:
    boxes, scores, classes = random_boxes(500, 6, spread=300.0)
    expected = nms(boxes, scores, classes, iou_max=0.45, limit=90).tolist()
    assert nms(boxes, scores, classes, iou_max=0.45, limit=90, block_size=block).tolist() == expected


def test_at_most_300_are_kept_unless_told_otherwise() -> None:
    corners = np.stack(np.meshgrid(np.arange(20), np.arange(20)), axis=2).reshape(-1, 2).astype(np.float32) * 10
    boxes = np.concatenate((corners, corners + 5), axis=1)
    turned = np.concatenate((corners, np.full((400, 2), 5), np.zeros((400, 1))), axis=1).astype(np.float32)
    scores, classes = np.linspace(1, 0.1, 400, dtype=np.float32), np.zeros(400, np.int32)
    assert nms(boxes, scores, classes, iou_max=0.5).tolist() == list(range(300))
    assert oriented_nms(turned, scores, classes, iou_max=0.5).tolist() == list(range(300))


def test_a_crowd_of_thousands_keeps_what_the_loop_keeps() -> None:
    boxes, scores, classes = random_boxes(2000, 4, spread=900.0)
    expected = slow.suppress(
        [(int(c), float(s), tuple(b)) for b, s, c in zip(boxes.tolist(), scores, classes, strict=True)], 0.5
    )
    kept = nms(boxes, scores, classes, iou_max=0.5, limit=300)
    assert [float(scores[index]) for index in kept] == [score for _, score, _ in expected[:300]]


def test_other_classes_do_not_suppress_and_equal_scores_keep_their_order() -> None:
    boxes = np.array([[0, 0, 10, 10]] * 3, np.float32)
    scores = np.array([0.5, 0.5, 0.5], np.float32)
    assert nms(boxes, scores, np.array([0, 1, 1], np.int32), iou_max=0.5).tolist() == [0, 1]


def test_an_overlap_equal_to_the_limit_stays() -> None:
    boxes = np.array([[0, 0, 2, 1], [0, 0, 1, 1]], np.float32)
    scores, classes = np.array([0.9, 0.8], np.float32), np.zeros(2, np.int32)
    assert nms(boxes, scores, classes, iou_max=0.5).tolist() == [0, 1]
    assert nms(boxes, scores, classes, iou_max=0.49).tolist() == [0]


def test_large_coordinates_lose_nothing() -> None:
    boxes = np.array([[8000, 8000, 8002, 8002], [8000, 8000, 8002, 8001]], np.float32)
    scores, classes = np.array([0.9, 0.8], np.float32), np.array([79, 79], np.int32)
    assert nms(boxes, scores, classes, iou_max=0.51).tolist() == [0, 1]
    assert nms(boxes, scores, classes, iou_max=0.45).tolist() == [0]


def test_a_box_without_an_area_is_found_again_by_its_corners() -> None:
    """Untrained heads give boxes that are turned inside out; both graphs give the same ones."""
    one = Detections(np.array([[9, 5, 3, 4]], np.float32), np.array([0.8], np.float32), np.array([2], np.int32))
    near = Detections(one.boxes_xyxy + np.float32(0.05), one.scores, one.class_ids)
    far = Detections(one.boxes_xyxy + np.float32(2.0), one.scores, one.class_ids)
    assert count_matched(one, near, iou_min=0.95, score_within=0.01) == 1
    assert count_matched(one, far, iou_min=0.95, score_within=0.01) == 0
