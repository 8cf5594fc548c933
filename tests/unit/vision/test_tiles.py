"""Where a frame is looked at, and what several looks at it become."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.contracts.pixels import Layout, PixelFormat
from vigie.contracts.tensors import Merge
from vigie.errors import PixelFormatError
from vigie.vision.convert import to_bgr
from vigie.vision.detections import Detections
from vigie.vision.masks import GRID
from vigie.vision.merging import merge_views
from vigie.vision.planes import crop_planes, frame_bytes, planes_of
from vigie.vision.tiles import WHOLE, Grid, plan_views

LEFT, RIGHT = (0.0, 0.0, 60.0, 50.0), (40.0, 0.0, 100.0, 50.0)
FULL = (0.0, 0.0, 100.0, 50.0)


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    """Of rows of box, score and class."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int32))


def merged(
    *seen: Detections, views: tuple[tuple[float, ...], ...] = (LEFT, RIGHT), merge: Merge = "nmm"
) -> list[tuple]:
    one = merge_views(seen, views, merge=merge, iou_max=0.45)  # type: ignore[arg-type]
    return [
        (tuple(box), round(score, 2), class_id)
        for box, score, class_id in zip(
            one.boxes_xyxy.tolist(), one.scores.tolist(), one.class_ids.tolist(), strict=True
        )
    ]


def test_tiles_of_a_full_hd_picture() -> None:
    whole, *tiles = plan_views((1080, 1920), WHOLE, Grid(2, 1, 0.2, whole=True))
    assert whole == (0, 0, 1920, 1080)
    assert tiles == [(0, 0, 1068, 1080), (852, 0, 1920, 1080)]


def test_a_region_without_tiles_is_one_view_on_even_pixels() -> None:
    assert plan_views((101, 201), (0.25, 0.5, 1.0, 1.0), None) == ((50, 50, 201, 101),)


def test_one_tile_is_the_region_once() -> None:
    assert plan_views((480, 640), WHOLE, Grid(1, 1, 0.2, whole=True)) == ((0, 0, 640, 480),)


@given(
    height=st.integers(2, 700),
    width=st.integers(2, 700),
    left=st.floats(0, 0.98),
    wide=st.floats(0.01, 1),
    columns=st.integers(1, 6),
    rows=st.integers(1, 6),
    overlap=st.floats(0, 0.5),
    whole=st.booleans(),
)
def test_views_cover_the_region_can_be_cut_there_and_repeat_nothing(
    height: int, width: int, left: float, wide: float, columns: int, rows: int, overlap: float, *, whole: bool
) -> None:
    shares = (left, 0.0, min(1.0, left + wide), 1.0)
    views = plan_views((height, width), shares, Grid(columns, rows, overlap, whole=whole))
    seen = np.zeros((height, width), bool)
    frame = planes_of(np.zeros(frame_bytes(i420 := PixelFormat("i420", (height, width))), np.uint8), i420)
    for box in views:
        crop_planes(frame, box)
        seen[box[1] : box[3], box[0] : box[2]] = True
    assert seen[:, int(np.ceil(shares[0] * width - 1e-6)) : int(shares[2] * width)].all()
    assert len(set(views)) == len(views) <= columns * rows + whole


@pytest.mark.parametrize("layout", ["bgr", "gray", "i420", "i422", "i444", "nv12"])
def test_a_cut_frame_has_the_colours_of_its_part(layout: Layout) -> None:
    pixel_format = PixelFormat(layout, (45, 61))
    packed = np.random.default_rng(5).integers(16, 236, frame_bytes(pixel_format), np.uint8)
    frame = planes_of(packed, pixel_format)
    box = (20, 10, 61, 45)
    cut, whole = to_bgr(crop_planes(frame, box)), to_bgr(frame)[10:45, 20:61]
    # At the cut itself chroma has one neighbour less to be made from.
    np.testing.assert_array_equal(cut[2:, 2:], whole[2:, 2:])


@pytest.mark.parametrize("box", [(1, 0, 10, 10), (0, 1, 10, 10), (0, 0, 9, 10), (0, 0, 10, 99), (4, 4, 4, 8)])
def test_a_cut_through_a_chroma_sample_or_outside_is_refused(box: tuple[int, int, int, int]) -> None:
    i420 = PixelFormat("i420", (20, 20))
    with pytest.raises(PixelFormatError, match="cannot be cut"):
        crop_planes(planes_of(np.zeros(frame_bytes(i420), np.uint8), i420), box)


def test_an_object_in_the_overlap_is_told_once_with_its_better_score() -> None:
    assert merged(found((44, 10, 54, 20, 0.7, 1)), found((45, 10, 55, 20, 0.9, 1))) == [((45, 10, 55, 20), 0.9, 1)]


def test_an_object_of_another_class_that_overlaps_stays() -> None:
    assert len(merged(found((44, 10, 54, 20, 0.7, 1)), found((46, 10, 56, 20, 0.9, 2)))) == 2


def test_what_two_views_call_differently_in_one_place_is_told_as_the_surer_one() -> None:
    assert merged(found((44, 10, 54, 20, 0.7, 1)), found((44, 10, 54, 21, 0.9, 2))) == [((44, 10, 54, 21), 0.9, 2)]


def test_two_classes_that_one_view_shows_in_one_place_stay() -> None:
    assert len(merged(found((44, 10, 54, 20, 0.7, 1), (44, 10, 54, 21, 0.9, 2)), found())) == 2


def test_two_objects_of_one_view_stay_two_however_they_overlap() -> None:
    assert len(merged(found((10, 10, 20, 20, 0.9, 0), (11, 10, 21, 20, 0.8, 0)), found())) == 2


def test_a_part_at_the_edge_of_a_tile_falls_to_the_whole_object_even_with_a_better_score() -> None:
    whole, part = (30.0, 10.0, 58.0, 30.0, 0.6, 0), (40.0, 10.0, 58.0, 30.0, 0.95, 0)
    assert merged(found(whole), found(part)) == [((30, 10, 58, 30), 0.6, 0)]


def test_a_sliver_of_an_object_falls_though_it_is_hardly_alike() -> None:
    assert merged(found((20, 10, 44, 30, 0.6, 0)), found((40, 12, 45, 28, 0.5, 0))) == [((20, 10, 44, 30), 0.6, 0)]


def test_parts_of_an_object_that_no_tile_shows_whole_are_put_together_or_the_best_is_kept() -> None:
    left, right = (10.0, 10.0, 60.0, 30.0, 0.6, 0), (40.0, 11.0, 90.0, 31.0, 0.8, 0)
    assert merged(found(left), found(right)) == [((10, 10, 90, 31), 0.8, 0)]
    assert merged(found(left), found(right), merge="nms") == [((40, 11, 90, 31), 0.8, 0)]


def test_a_long_object_over_three_tiles_is_one() -> None:
    views = ((0.0, 0.0, 40.0, 50.0), (30.0, 0.0, 70.0, 50.0), (60.0, 0.0, 100.0, 50.0))
    parts = [found((x1, 10, x2, 20, 0.5 + x1 / 100, 3)) for x1, x2 in ((5, 40), (30, 70), (60, 95))]
    assert merged(*parts, views=views) == [((5, 10, 95, 20), 1.1, 3)]


def test_a_small_object_before_the_part_of_a_large_one_is_not_taken_for_it() -> None:
    small, large_part = (45.0, 20.0, 50.0, 30.0, 0.9, 0), (40.0, 0.0, 98.0, 50.0, 0.5, 0)
    assert len(merged(found(small), found(large_part))) == 2


def test_what_the_whole_region_shows_complete_takes_the_parts_of_all_tiles() -> None:
    parts = found((10, 10, 60, 40, 0.9, 0)), found((40, 10, 90, 40, 0.9, 0))
    assert merged(found((11, 10, 89, 40, 0.5, 0)), *parts, views=(FULL, LEFT, RIGHT)) == [((11, 10, 89, 40), 0.5, 0)]


def test_the_edge_of_the_region_cuts_nothing_that_another_view_could_show() -> None:
    assert merged(found((0, 10, 20, 30, 0.9, 0)), found()) == [((0, 10, 20, 30), 0.9, 0)]


def test_nothing_seen_in_any_view_is_an_empty_answer() -> None:
    assert merged(found(), found()) == []


def test_boxes_that_lay_in_the_padding_of_a_view_are_gone() -> None:
    assert merged(found((60, 10, 60, 30, 0.9, 0)), found()) == []


def test_masks_and_key_points_of_parts_are_put_together() -> None:
    full = np.ones((1, GRID, GRID), np.bool_)
    points = [
        np.array([[[20, 20, 0.9], [60, 20, 0.1]]], np.float32),
        np.array([[[40, 20, 0.2], [80, 20, 0.8]]], np.float32),
    ]
    parts = [
        Detections(one.boxes_xyxy, one.scores, one.class_ids, keypoints, full)
        for one, keypoints in zip(
            (found((0, 10, 60, 30, 0.6, 0)), found((40, 10, 80, 30, 0.8, 0))), points, strict=True
        )
    ]
    one = merge_views(parts, [LEFT, RIGHT], merge="nmm", iou_max=0.45)
    assert one.boxes_xyxy.tolist() == [[0, 10, 80, 30]]
    assert one.keypoints is not None
    assert one.keypoints[0].tolist() == [pytest.approx([20, 20, 0.9]), pytest.approx([80, 20, 0.8])]
    assert one.masks is not None
    assert one.masks.all()


def test_a_thousand_small_objects_in_four_tiles_are_told_apart() -> None:
    """Against the same picture looked at once: what overlaps is told once, and nothing is lost."""
    grid = [(x, y, x + 4.0, y + 4.0, 0.9, 0) for x in range(2, 200, 8) for y in range(2, 200, 8)]
    views = plan_views((200, 200), WHOLE, Grid(2, 2, 0.2, whole=False))
    seen = []
    for left, top, right, bottom in views:
        inside = [
            (max(x1, left), max(y1, top), min(x2, right), min(y2, bottom), score, label)
            for x1, y1, x2, y2, score, label in grid
            if x1 < right and x2 > left and y1 < bottom and y2 > top
        ]
        seen.append(found(*inside))
    result = merge_views(seen, views, merge="nmm", iou_max=0.45)
    expected = [tuple(row[:4]) for row in grid]
    assert len(result) == 300, "the cap of every decoder"
    assert set(map(tuple, result.boxes_xyxy.tolist())) <= set(expected)


def test_the_resize_of_a_cut_is_that_of_the_cut_picture() -> None:
    bgr = PixelFormat("bgr", (60, 80))
    picture = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8)
    cut = crop_planes(planes_of(picture, bgr), (10, 6, 50, 46))
    np.testing.assert_array_equal(to_bgr(cut, (20, 20)), cv2.resize(picture[6:46, 10:50], (20, 20)))
