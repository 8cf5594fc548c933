"""What is blurred cannot be recognised, what is not is left as it is, and doubt blurs everything."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from vigie.contracts.blur import Blur
from vigie.contracts.detections import DetectionsItem, StageTimings
from vigie.contracts.frames import FrameItem
from vigie.contracts.pixels import RingReference
from vigie.frames.shown import how_blurred, shown_bgr
from vigie.vision.blur import blur_all, blur_boxes
from vigie.vision.planes import bgr_planes

HW = (120, 160)
FRAME = FrameItem("dock", 1, "dock-b-1", "2026-01-01T00:00:00Z", 0, HW, RingReference("r", 0, 2, (*HW, 3)))
ASKS = msgspec.structs.replace(FRAME, blur=Blur(("person",)))
FOUND = DetectionsItem(
    "dock",
    1,
    "dock-b-1",
    "2026-01-01T00:00:00Z",
    0,
    HW,
    "m",
    [],
    StageTimings(1, 2, 3),
    blur=((40.0, 30.0, 80.0, 90.0),),
)


def checks(hw: tuple[int, int] = HW) -> np.ndarray:
    """Pixels of a fine pattern that no mean of several of them has."""
    rows, columns = np.indices(hw)
    return np.repeat((((rows + columns) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)


def is_pattern(part: np.ndarray) -> np.ndarray:
    return (part == 0) | (part == 255)


def test_no_pixel_of_a_box_is_left_and_none_outside_its_margin_is_touched() -> None:
    picture = checks()
    blur_boxes(picture, [(40, 30, 80, 90)], HW)
    assert not is_pattern(picture[30:90, 40:80]).any()
    outside = np.ones(HW, bool)
    outside[24:96, 36:84] = False
    np.testing.assert_array_equal(picture[outside], checks()[outside])


def test_boxes_are_in_pixels_of_the_frame_whatever_the_picture_measures() -> None:
    small = checks((60, 80))
    blur_boxes(small, [(40, 30, 80, 90)], HW)
    assert not is_pattern(small[15:45, 20:40]).any()
    assert is_pattern(small[:, 50:]).all()


@pytest.mark.parametrize("box", [(-50, -50, 20, 20), (150, 110, 400, 400), (0, 0, 160, 120)])
def test_boxes_over_the_edge_are_blurred_up_to_it(box: tuple[float, float, float, float]) -> None:
    picture = checks()
    blur_boxes(picture, [box], HW)
    left, top, right, bottom = (max(0, int(side)) for side in box)
    assert not is_pattern(picture[top:bottom, left:right]).any()


def test_a_box_that_is_no_number_blurs_everything() -> None:
    picture = checks()
    blur_boxes(picture, [(40, math.nan, 80, 90)], HW)
    assert not is_pattern(picture).any()


def test_the_whole_picture_has_few_blocks() -> None:
    picture = checks()
    blur_all(picture)
    assert not is_pattern(picture).any()


@pytest.mark.parametrize(
    ("item", "found", "how"),
    [
        (FRAME, None, "none"),
        (FRAME, FOUND, "none"),
        (ASKS, FOUND, "classes"),
        (ASKS, None, "everything"),
        (ASKS, msgspec.structs.replace(FOUND, blur=None), "everything"),
        (ASKS, msgspec.structs.replace(FOUND, blur=msgspec.UNSET), "everything"),
        (ASKS, msgspec.structs.replace(FOUND, trace="dock-b-2"), "everything"),
    ],
    ids=["not asked", "not asked, found", "found", "no detections", "class unknown", "older inference", "other frame"],
)
def test_a_picture_is_shown_as_its_frame_asks_and_doubt_blurs_everything(
    item: FrameItem, found: DetectionsItem | None, how: str
) -> None:
    assert how_blurred(item, found) == how
    picture = shown_bgr(bgr_planes(checks()), item, found, HW)
    assert is_pattern(picture).all() == (how == "none")
    assert is_pattern(picture).any() == (how != "everything")
    assert not is_pattern(picture[30:90, 40:80]).any() or how == "none"


def test_messages_of_frames_that_do_not_ask_are_as_long_as_before() -> None:
    assert b"blur" not in msgspec.json.encode(msgspec.structs.replace(FOUND, blur=msgspec.UNSET))
    assert msgspec.json.decode(msgspec.json.encode(FOUND), type=DetectionsItem) == FOUND
