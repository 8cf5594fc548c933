"""The letterbox and its inverse."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import ImageShapeError
from vigie.vision.letterbox import letterbox_into
from vigie.vision.transform import place, plan_transform

ALIGNS = ("centre", "top_left", "stretch")


def frame(hw: tuple[int, int], seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*hw, 3), np.uint8)


@pytest.mark.parametrize("align", ALIGNS)
@pytest.mark.parametrize("hw", [(360, 640), (640, 360), (100, 100), (416, 416), (7, 900), (1080, 1920)], ids=str)
def test_the_frame_lies_resized_where_the_transform_says_and_the_rest_is_pad(hw: tuple[int, int], align: str) -> None:
    picture, out = frame(hw), np.full((416, 416, 3), 9, np.uint8)

    transform = letterbox_into(picture, out, align=align, pad_value=114)

    left, top = int(transform.pad_x), int(transform.pad_y)
    width, height = round(hw[1] * transform.scale_x), round(hw[0] * transform.scale_y)
    inner = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    expected = np.full((416, 416, 3), 114, np.uint8)
    expected[top : top + height, left : left + width] = inner
    assert np.array_equal(out, expected)


@given(
    frame_hw=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    tensor_hw=st.tuples(st.integers(8, 1280), st.integers(8, 1280)),
    align=st.sampled_from(ALIGNS),
)
@settings(deadline=None)
def test_the_corners_of_the_frame_map_to_the_resized_corners_and_back(
    frame_hw: tuple[int, int], tensor_hw: tuple[int, int], align: str
) -> None:
    at = place(frame_hw, tensor_hw, align)
    transform = plan_transform(frame_hw, tensor_hw, align)
    whole = np.array([[0, 0, frame_hw[1], frame_hw[0]]], np.float32)

    inside = transform.to_tensor(whole)

    assert inside[0] == pytest.approx([at.left, at.top, at.left + at.width, at.top + at.height], abs=1e-2)
    assert transform.to_frame(inside, frame_hw)[0] == pytest.approx(whole[0], rel=1e-4, abs=1e-2)
    assert 0 <= at.left <= at.left + at.width <= tensor_hw[1]
    assert 0 <= at.top <= at.top + at.height <= tensor_hw[0]


@pytest.mark.parametrize("align", ALIGNS)
def test_a_mark_in_the_frame_comes_back_to_its_pixel(align: str) -> None:
    picture = np.zeros((720, 1280, 3), np.uint8)
    picture[200:260, 900:1000] = 255
    out = np.zeros((416, 416, 3), np.uint8)

    transform = letterbox_into(picture, out, align=align, pad_value=0)

    rows, columns = np.nonzero(out[..., 0] > 127)
    seen = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    back = transform.to_frame(seen, (720, 1280))[0]
    # One tensor pixel is about three frame pixels: the mark's edge is known to half of that.
    assert back == pytest.approx([900, 200, 1000, 260], abs=0.5 / min(transform.scale_x, transform.scale_y) + 0.01)


def test_boxes_outside_the_frame_are_clipped_to_it() -> None:
    transform = plan_transform((100, 200), (100, 100), "centre")
    boxes = np.array([[-5, -5, 300, 300]], np.float32)
    assert transform.to_frame(boxes, (100, 200)).tolist() == [[0, 0, 200, 100]]


def test_no_boxes_stay_no_boxes() -> None:
    transform = plan_transform((100, 200), (100, 100), "centre")
    assert transform.to_frame(np.empty((0, 4), np.float32), (100, 200)).shape == (0, 4)


def test_the_top_left_letterbox_truncates_as_yolox_does() -> None:
    at = place((432, 768), (416, 416), "top_left")
    assert (at.height, at.width) == (233, 416)


def test_a_strided_view_is_read_without_a_copy_of_the_caller_s() -> None:
    wide, out = frame((100, 400)), np.zeros((64, 64, 3), np.uint8)
    view = wide[:, ::2]
    letterbox_into(view, out, align="stretch")
    assert np.array_equal(out, cv2.resize(np.ascontiguousarray(view), (64, 64)))


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (np.zeros((4, 4), np.uint8), "(4, 4) uint8"),
        (np.zeros((4, 4, 4), np.uint8), "(4, 4, 4) uint8"),
        (np.zeros((4, 4, 3), np.float32), "(4, 4, 3) float32"),
        (np.zeros((0, 4, 3), np.uint8), "(0, 4, 3) uint8"),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_what_is_no_colour_picture_is_refused_with_its_shape(picture: np.ndarray, said: str) -> None:
    with pytest.raises(ImageShapeError) as refused:
        letterbox_into(picture, np.zeros((8, 8, 3), np.uint8), align="centre")
    assert str(refused.value) == f"frame: expected (height, width, 3) uint8, got {said}"
