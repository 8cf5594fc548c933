"""Drawing detections into frames: in place, at the right place, at any size, without touching what lies beside."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from vigie.contracts.detections import Detection, Mask, OrientedBox
from vigie.vision.draw import COCO_BONES, HUES, Palette, caption, draw_detections
from vigie.vision.masks import to_runs

PAGE = Path(__file__).parents[3] / "modules/viewer/src/vigie_viewer/page"
BOX = (40.0, 50.0, 120.0, 90.0)


def grey(hw: tuple[int, int] = (200, 300)) -> np.ndarray:
    return np.full((*hw, 3), 90, np.uint8)


def test_the_line_lies_on_the_box_and_the_rest_of_the_picture_stays_as_it_was() -> None:
    frame = grey()
    draw_detections(frame, [Detection("nut", 0, 0.9, BOX)], labels=False)
    rows, columns = np.nonzero((frame != 90).any(axis=2))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == pytest.approx((40, 50, 120, 90), abs=2)
    assert (frame[56:84, 46:114] == 90).all()
    assert tuple(frame[50, 80]) == Palette().bgr("nut")


def test_boxes_of_the_whole_frame_lie_right_in_a_smaller_picture() -> None:
    frame = grey((100, 150))
    draw_detections(frame, [Detection("nut", 0, 0.9, BOX)], (200, 300), labels=False)
    rows, columns = np.nonzero((frame != 90).any(axis=2))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == pytest.approx((20, 25, 60, 45), abs=2)


def test_a_mask_colours_only_its_cells() -> None:
    cells = np.zeros((4, 4), np.bool_)
    cells[:, :2] = True
    frame = grey()
    draw_detections(frame, [Detection("nut", 0, 0.9, BOX, mask=Mask((4, 4), to_runs(cells)))], labels=False)
    assert (frame[70, 60] != 90).any()
    assert (frame[70, 105] == 90).all()


def test_an_oriented_box_is_drawn_turned_and_its_upright_box_is_not() -> None:
    frame = grey()
    turned = OrientedBox((150.0, 100.0), (100.0, 20.0), 45.0)  # its corners reach 42 px beyond the centre
    box = (107.0, 57.0, 193.0, 143.0)
    draw_detections(frame, [Detection("nut", 0, 0.9, box, oriented=turned)], labels=False)
    rows, columns = np.nonzero((frame != 90).any(axis=2))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == pytest.approx(box, abs=3)
    assert (frame[135, 185] != 90).any(), "clockwise: its end lies right and below"
    assert (frame[65, 185] == 90).all()
    assert (frame[57, 140:190] == 90).all()


def test_key_points_that_the_model_is_unsure_of_are_not_shown() -> None:
    frame = grey()
    points = tuple((150.0 + 5 * index, 20.0 + 5 * index, 0.9 if index == 16 else 0.2) for index in range(17))
    draw_detections(frame, [Detection("person", 0, 0.9, BOX, keypoints=points)], labels=False)
    assert (frame[100, 230] != 90).any()
    assert (frame[20, 150] == 90).all()


@pytest.mark.parametrize(
    "box",
    [(-50.0, -30.0, 20.0, 20.0), (290.0, 190.0, 400.0, 300.0), (10.0, 10.0, 10.0, 10.0), (0.0, 0.0, 300.0, 200.0)],
)
def test_boxes_over_the_edge_and_empty_ones_are_drawn_as_far_as_they_go(box: tuple[float, ...]) -> None:
    mask = Mask((2, 2), (0, 4))
    draw_detections(grey(), [Detection("Ölkanne 油", 0, 0.5, box, mask=mask)])  # type: ignore[arg-type]


def test_the_surest_lies_on_top_in_whatever_order_they_come() -> None:
    palette, frame = Palette(), grey()
    sure, unsure = Detection("nut", 0, 0.9, BOX), Detection("bolt", 1, 0.4, BOX)
    for order in ([sure, unsure], [unsure, sure]):
        draw_detections(frame, order, palette=palette, labels=False)
        assert tuple(frame[50, 80]) == palette.bgr("nut")


@pytest.mark.parametrize(("width", "coloured", "edged"), [(300, 1, 4), (719, 1, 4), (721, 3, 2), (2400, 7, 2)])
def test_lines_grow_with_the_picture_and_have_a_dark_edge(width: int, coloured: int, edged: int) -> None:
    frame = grey((200, width))
    draw_detections(frame, [Detection("nut", 0, 0.9, BOX)], labels=False)
    across = [tuple(pixel) for pixel in frame[30:70, 80]]
    assert across.count(Palette().bgr("nut")) == coloured
    assert across.count((20, 18, 11)) == edged


def test_a_mask_lets_the_picture_through() -> None:
    frame = grey()
    draw_detections(frame, [Detection("nut", 0, 0.9, BOX, mask=Mask((2, 2), (0, 4)))], labels=False)
    assert frame[70, 80].tolist() == [int(90 * 0.6 + part * 0.4) for part in Palette().bgr("nut")]


def test_a_mask_over_the_upper_left_corner_is_cut_and_not_moved() -> None:
    cells = np.zeros((2, 2), np.bool_)
    cells[1, 1] = True
    frame = grey()
    box = (-40.0, -20.0, 40.0, 20.0)
    draw_detections(frame, [Detection("nut", 0, 0.9, box, mask=Mask((2, 2), to_runs(cells)))], labels=False)
    assert (frame[10, 20] != 90).any()
    assert (frame[30, 60] == 90).all()


@pytest.mark.parametrize(
    ("count", "unsure", "drawn"),
    [(17, None, True), (17, 13, False), (16, None, False)],
    ids=["both-ends-seen", "an-unsure-end", "another-skeleton"],
)
def test_a_bone_joins_two_points_that_are_seen(count: int, unsure: int | None, drawn: bool) -> None:
    points = [(20.0, 20.0, 0.5)] * count  # as sure as is enough
    points[13], points[15] = (200.0, 100.0, 0.5), (280.0, 100.0, 0.5)
    if unsure is not None:
        points[unsure] = (*points[unsure][:2], 0.49)
    frame = grey()
    draw_detections(frame, [Detection("person", 0, 0.9, BOX, keypoints=tuple(points))], labels=False)
    assert (tuple(frame[100, 240]) == Palette().bgr("person")) is drawn
    assert (frame[100, 280] != 90).any(), "the point itself"


@pytest.mark.parametrize(
    ("box", "at"),
    [
        ((40.0, 50.0, 120.0, 90.0), (45, 42)),
        ((40.0, 3.0, 120.0, 90.0), (15, 42)),
        ((290.0, 50.0, 299.0, 90.0), (45, 254)),
    ],
    ids=["above", "inside-where-there-is-no-room-above", "moved-in-from-the-right"],
)
def test_a_caption_lies_where_it_can_be_read(box: tuple[float, float, float, float], at: tuple[int, int]) -> None:
    frame = grey()
    draw_detections(frame, [Detection("nut", 0, 0.9, box)])
    assert tuple(frame[at]) == Palette().bgr("nut")
    row, column = at
    written = (frame[max(0, row - 14) : row + 14, column : column + 34] == (20, 18, 11)).all(axis=2)
    assert written.sum() > 10, "letters"


def test_labels_are_told_apart_by_colour_and_keep_theirs() -> None:
    palette = Palette()
    labels = [f"class {number}" for number in range(len(HUES))]
    assert len({palette.hue(label) for label in labels}) == len(HUES)
    assert [palette.hue(label) for label in labels] == [palette.hue(label) for label in labels]
    assert palette.hue("one more") in HUES


def test_a_caption_has_label_track_and_percent() -> None:
    assert caption(Detection("nut", 0, 0.876, BOX, track="0badc0de-17")) == "nut #17 88"
    assert caption(Detection("nut", 0, 0.876, BOX)) == "nut 88"


def test_the_page_has_the_same_colours_and_bones() -> None:
    script = (PAGE / "draw.js").read_text(encoding="utf-8")
    hues = re.search(r"HUES = \[([^\]]+)\]", script)
    assert hues is not None
    assert tuple(int(hue) for hue in hues[1].split(",")) == HUES
    bones = re.search(r"BONES = (\[\[.+\]\]);", script)
    assert bones is not None
    assert [tuple(pair) for pair in json.loads(bones[1])] == list(COCO_BONES)
