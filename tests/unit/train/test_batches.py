"""What a batch is: cuts of pictures, flipped and re-lit, with the truth that belongs to them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch (training extra)")

from vigie_devkit.train.batches import LEAST_KEPT, make_batch  # noqa: E402  # after the skip, as the rest
from vigie_devkit.train.dataset import Dataset  # noqa: E402

SIZE = (96, 128)
CUT = (64, 64)


def picture_of(*boxes: tuple[int, int, int, int], ignore: bool = False) -> Dataset:
    """A dark picture whose objects are bright; class n for the n-th."""
    images = np.full((1, *SIZE, 3), 20, np.uint8)
    for left, top, right, bottom in boxes:
        images[0, top:bottom, left:right] = 220
    return Dataset(
        images,
        [np.array(boxes, np.float32).reshape(-1, 4)],
        [np.arange(len(boxes), dtype=np.int64)],
        [np.full(len(boxes), ignore)],
    )


def cuts(
    data: Dataset, count: int, cut_hw: tuple[int, int] = CUT, seed: int = 1
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Images (B, H, W, 3), and per image rows of kind, label, box."""
    images, targets = make_batch(data, np.zeros(count, np.int64), np.random.default_rng(seed), cut_hw)
    rows = [
        np.concatenate([kind[:, None], label[:, None], box], axis=1)[kind != 0]
        for box, label, kind in zip(*(part.numpy() for part in targets), strict=True)
    ]
    return images.permute(0, 2, 3, 1).numpy(), rows


def test_boxes_lie_on_their_objects_whatever_was_cut_and_flipped() -> None:
    images, rows = cuts(picture_of((30, 40, 50, 52)), 40)
    seen = 0
    for image, own in zip(images, rows, strict=True):
        bright = image.max(axis=2) > 120
        assert len(own) == bright.any()
        if len(own):
            ys, xs = np.nonzero(bright)
            np.testing.assert_array_equal(own[0, 2:], [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
            seen += 1
    assert seen > 30  # most cuts are about an object


def test_what_a_cut_leaves_too_little_of_is_neither_asked_for_nor_background() -> None:
    _, rows = cuts(picture_of((30, 40, 50, 60)), 200)
    area = {1: [], -1: []}
    for own in rows:
        for kind, _, left, top, right, bottom in own:
            area[int(kind)].append((right - left) * (bottom - top) / 400)
    assert min(area[1]) >= LEAST_KEPT
    assert max(area[-1]) < LEAST_KEPT


def test_what_was_ignored_stays_so() -> None:
    _, rows = cuts(picture_of((30, 40, 50, 60), ignore=True), 20)
    assert {int(kind) for own in rows for kind in own[:, 0]} == {-1}


def test_labels_stay_with_their_boxes() -> None:
    _, rows = cuts(picture_of((2, 2, 12, 12), (100, 70, 124, 94)), 60)
    whole = [(label, right - left) for own in rows for kind, label, left, _, right, _ in own if kind == 1]
    assert {label for label, _ in whole} == {0.0, 1.0}
    assert all(side <= 10 for label, side in whole if label == 0)


def test_a_cut_as_large_as_the_picture_is_the_whole_picture() -> None:
    images, rows = cuts(picture_of((10, 10, 40, 40), (60, 60, 90, 90)), 8, SIZE)
    assert images.shape == (8, *SIZE, 3)
    assert all(len(own) == 2 and (own[:, 0] == 1).all() for own in rows)


def test_a_picture_without_objects_is_cut_anywhere() -> None:
    images, rows = cuts(picture_of(), 4)
    assert images.shape == (4, *CUT, 3)
    assert all(len(own) == 0 for own in rows)


def test_cuts_are_repeatable_under_a_seed() -> None:
    data = picture_of((30, 40, 50, 60))
    first, again, other = (cuts(data, 6, seed=seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
