"""Pictures fitted to the network's input, and the rendered ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from vigie.errors import DatasetError
from vigie.synthetic import LABELS
from vigie_devkit.train.dataset import PAD_VALUE, LabelledPicture, check_memory, collect
from vigie_devkit.train.rendered import KINDS, TRAIN_SEED, VALID_SEED, rendered_pictures, training_pictures


def make_picture(
    hw: tuple[int, int], boxes: list[tuple[float, ...]], ignore: list[bool] | None = None
) -> LabelledPicture:
    return LabelledPicture(
        np.full((*hw, 3), 200, np.uint8),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.zeros(len(boxes), np.int64),
        np.array(ignore if ignore is not None else [False] * len(boxes), bool),
    )


def test_a_picture_is_fitted_to_the_top_left_and_its_boxes_with_it() -> None:
    data = collect([make_picture((100, 200), [(20, 10, 120, 90)])], 1, (64, 96))

    # 200 wide into 96: scale 0.48, 48 rows of picture, the rest padding.
    np.testing.assert_allclose(data.boxes_xyxy[0], [[9.6, 4.8, 57.6, 43.2]], atol=1e-4)
    assert (data.images[0, :48] == 200).all()
    assert (data.images[0, 48:] == PAD_VALUE).all()
    assert (len(data), data.images.shape, data.boxes_xyxy[0].dtype) == (1, (1, 64, 96, 3), np.float32)


def test_what_becomes_too_small_is_ignored_and_what_was_ignored_stays_so() -> None:
    boxes = [(0, 0, 50, 50), (0, 0, 3, 50), (0, 0, 50, 50)]
    data = collect([make_picture((200, 200), boxes, [False, False, True])], 1, (64, 64))
    assert data.ignore[0].tolist() == [False, True, True]


def test_a_picture_without_objects_is_one() -> None:
    data = collect([make_picture((64, 64), [])], 1, (64, 64))
    assert data.boxes_xyxy[0].shape == (0, 4)


def test_only_as_many_as_asked_for_are_taken() -> None:
    pictures = iter([make_picture((64, 64), [])] * 3)
    assert len(collect(pictures, 2, (64, 64))) == 2
    assert len(list(pictures)) == 1


def test_too_few_pictures_are_told() -> None:
    with pytest.raises(ValueError, match="expected 2 pictures, got 1"):
        collect([make_picture((64, 64), [])], 2, (64, 64))


def test_more_pictures_than_memory_are_told_before_the_work(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       9999 kB\nMemAvailable:   102400 kB\n")
    check_memory("p", 100, (384, 512), meminfo)
    with pytest.raises(DatasetError, match="1000 pictures of 384x512 need 562 MiB, 100 are free"):
        check_memory("p", 1000, (384, 512), meminfo)


def measured(*, hard: bool) -> Callable[[int], Iterable[LabelledPicture]]:
    return lambda seed: islice(rendered_pictures(seed, size_wh=(160, 120), hard=hard), 2)


@pytest.mark.parametrize(
    "render",
    [measured(hard=False), measured(hard=True), lambda seed: training_pictures(seed, 2)],
    ids=["normal", "hard", "training"],
)
def test_rendered_pictures_are_the_same_for_the_same_seed_and_others_for_another(
    render: Callable[[int], Iterable[LabelledPicture]],
) -> None:
    def two(seed: int) -> list[LabelledPicture]:
        return list(render(seed))

    once, again, other = two(TRAIN_SEED), two(TRAIN_SEED), two(VALID_SEED)
    for left, right in zip(once, again, strict=True):
        assert np.array_equal(left.frame_bgr, right.frame_bgr)
        assert np.array_equal(left.boxes_xyxy, right.boxes_xyxy)
        assert np.array_equal(left.class_ids, right.class_ids)
        assert np.array_equal(left.ignore, right.ignore)
    assert not np.array_equal(once[0].frame_bgr, other[0].frame_bgr)
    assert not np.array_equal(once[0].frame_bgr, once[1].frame_bgr)


def test_rendered_truth_lies_in_the_picture_and_says_what_is_too_hidden() -> None:
    pictures = list(islice(rendered_pictures(VALID_SEED, size_wh=(320, 240), hard=False), 6))
    boxes = np.concatenate([one.boxes_xyxy for one in pictures])
    assert len(boxes) > 6
    assert (boxes[:, :2] >= -0.5).all()
    assert (boxes[:, 2] <= 320.5).all()
    assert (boxes[:, 3] <= 240.5).all()
    assert all(set(one.class_ids.tolist()) <= set(range(len(LABELS))) for one in pictures)
    assert not np.concatenate([one.ignore for one in pictures]).all()


def test_training_pictures_show_small_parts_in_company_and_alone() -> None:
    pictures = list(training_pictures(TRAIN_SEED, 30))
    assert len(pictures) == 30
    assert sum(kind.share for kind in KINDS) == pytest.approx(1)
    # Packed small parts come by the hundred, those of the hard split's density by the score, lone ones by the handful.
    counts = [len(one.class_ids) for one in pictures]
    assert sum(count > 70 for count in counts) < 0.4 * len(pictures)
    lone = [one for one in pictures if len(one.class_ids) and sides(one).max() < 24 and nearest_px(one) > 80]
    assert len(lone) >= 2


def sides(picture: LabelledPicture) -> np.ndarray:
    return (picture.boxes_xyxy[:, 2:] - picture.boxes_xyxy[:, :2]).max(axis=1)


def nearest_px(picture: LabelledPicture) -> float:
    """The longest way that some part's centre has to its nearest neighbour's."""
    centres = (picture.boxes_xyxy[:, :2] + picture.boxes_xyxy[:, 2:]) / 2
    away = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(centres))
    return float(away.min(axis=1).max())
