"""Pictures made of others: boxes stay on their objects, and the same chance makes the same picture."""

from __future__ import annotations

import numpy as np
import pytest

from vigie_devkit.train.augment import COVERED_MAX, LEAST_KEPT, Augment, augmented
from vigie_devkit.train.dataset import Dataset

SIZE = (96, 128)


def bright_squares(count: int = 6, *, ignore: bool = False) -> Dataset:
    """One bright square each on a dark ground, class by picture."""
    images = np.full((count, *SIZE, 3), 20, np.uint8)
    boxes = []
    for number in range(count):
        left, top, side = 20 + 9 * number, 10 + 8 * number, 24
        images[number, top : top + side, left : left + side] = 220
        boxes.append(np.array([[left, top, left + side, top + side]], np.float32))
    return Dataset(
        images, boxes, [np.array([number]) for number in range(count)], [np.full(1, ignore) for _ in range(count)]
    )


def brightness(picture: Dataset, box: np.ndarray) -> float:
    left, top, right, bottom = box.round().astype(int)
    return float(picture.images[0, top:bottom, left:right].mean())


@pytest.mark.parametrize(
    "augment",
    [Augment(mosaic=0, paste=0), Augment(mosaic=1, paste=0), Augment(mosaic=0, paste=1), Augment(mosaic=1, paste=1)],
    ids=["other-size", "mosaic", "paste", "both"],
)
def test_boxes_lie_on_their_objects_and_no_object_is_without(augment: Augment) -> None:
    data, chance = bright_squares(), np.random.default_rng(1)
    taught = 0
    for turn in range(60):
        picture = augmented(data, turn % len(data), chance, augment)
        assert picture.images.shape == (1, *SIZE, 3)
        covered = np.zeros(SIZE, bool)
        for box, ignore in zip(picture.boxes_xyxy[0], picture.ignore[0], strict=True):
            left, top, right, bottom = box
            assert 0 <= left < right <= SIZE[1]
            assert 0 <= top < bottom <= SIZE[0]
            # Resizing blurs an edge, and a pasted object may cover a little of another.
            if not ignore:
                assert brightness(picture, box) > 150
                taught += 1
            covered[max(0, int(top) - 1) : int(bottom) + 2, max(0, int(left) - 1) : int(right) + 2] = True
        bright = picture.images[0].max(axis=2) > 150
        # The ground around a pasted object is dark: nothing bright lies outside of all boxes.
        assert np.count_nonzero(bright & ~covered) <= 0.002 * bright.size
    assert taught > 40


def test_what_a_picture_leaves_too_little_of_is_ignored() -> None:
    data, chance = bright_squares(), np.random.default_rng(2)
    shares: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(200):
        picture = augmented(data, turn % len(data), chance, Augment(mosaic=1, paste=0, scale=(1.0, 1.0)))
        for box, ignore in zip(picture.boxes_xyxy[0], picture.ignore[0], strict=True):
            shares[bool(ignore)].append(float((box[2:] - box[:2]).prod()) / 24**2)
    assert min(shares[False]) >= LEAST_KEPT - 1e-3
    assert max(shares[True]) < LEAST_KEPT + 1e-3


def test_a_pasted_object_covers_little_of_what_was_there() -> None:
    data, chance = bright_squares(), np.random.default_rng(3)
    for turn in range(60):
        picture = augmented(data, turn % len(data), chance, Augment(mosaic=0, paste=1, scale=(1.0, 1.0)))
        first, *pasted = picture.boxes_xyxy[0]
        for box in pasted:
            shared = np.clip(np.minimum(first[2:], box[2:]) - np.maximum(first[:2], box[:2]), 0, None).prod()
            assert shared / (first[2:] - first[:2]).prod() <= COVERED_MAX + 1e-6


def test_what_was_ignored_stays_so_and_is_never_pasted() -> None:
    data, chance = bright_squares(ignore=True), np.random.default_rng(4)
    for turn in range(30):
        picture = augmented(data, turn % len(data), chance, Augment(mosaic=0, paste=1))
        assert picture.ignore[0].all()
        assert len(picture.ignore[0]) <= 1


def test_the_same_chance_makes_the_same_picture() -> None:
    data = bright_squares()
    first, again, other = (augmented(data, 0, np.random.default_rng(seed), Augment()) for seed in (5, 5, 6))
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.boxes_xyxy[0], again.boxes_xyxy[0])
    assert not np.array_equal(first.images, other.images)


def test_pictures_without_objects_can_be_made_into_others() -> None:
    data = Dataset(
        np.full((3, *SIZE, 3), 50, np.uint8),
        [np.empty((0, 4), np.float32)] * 3,
        [np.empty(0, np.int64)] * 3,
        [np.empty(0, bool)] * 3,
    )
    picture = augmented(data, 1, np.random.default_rng(7), Augment(mosaic=1, paste=1))
    assert picture.boxes_xyxy[0].shape == (0, 4)
