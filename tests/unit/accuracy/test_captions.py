"""Captions of boxes: readable, inside the picture, none over another."""

from __future__ import annotations

import itertools

import numpy as np

from vigie_devkit.accuracy.captions import Box, place_captions

PICTURE = (200, 120)
SIZE = (60, 14)


def test_a_caption_stands_above_its_box_and_below_where_there_is_no_room() -> None:
    assert place_captions([(50, 50, 90, 80)], [SIZE], PICTURE) == [(50, 36, 110, 50)]
    first, second = place_captions([(50, 50, 90, 80), (52, 50, 92, 81)], [SIZE, SIZE], PICTURE)
    assert first == (50, 36, 110, 50)
    assert second == (52, 81, 112, 95)


def test_a_box_at_the_edge_has_its_caption_inside_the_picture() -> None:
    (caption,) = place_captions([(180, 2, 220, 40)], [SIZE], PICTURE)
    assert caption == (140, 0, 200, 14)


def test_in_a_crowd_captions_never_meet_and_the_first_ones_have_one() -> None:
    chance = np.random.default_rng(3)
    boxes: list[Box] = []
    for x, y in chance.integers(0, 100, (40, 2)).tolist():
        boxes.append((x, y, x + 20, y + 15))
    placed = place_captions(boxes, [SIZE] * 40, PICTURE)
    shown = [place for place in placed if place is not None]
    assert placed[0] is not None
    assert 8 <= len(shown) < 40
    for one, other in itertools.combinations(shown, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    assert all(
        left >= 0 and right <= PICTURE[0] and top >= 0 and bottom <= PICTURE[1] for left, top, right, bottom in shown
    )


def test_a_caption_wider_than_the_picture_is_left_out() -> None:
    assert place_captions([(0, 0, 10, 10)], [(300, 14)], PICTURE) == [None]
