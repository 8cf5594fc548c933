"""Drawing detections into frames: in place, at the right place, at any size, without touching what lies beside."""

from __future__ import annotations

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
    assert len(COCO_BONES) == 19
