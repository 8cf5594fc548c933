"""Average precision against values worked out by hand and against an independent slow evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from vigie_devkit.accuracy.average_precision import FrameFound, FrameTruth, mean_average_precision


def truth(*rows: tuple[int, float, float, float, float], ignore: tuple[int, ...] = ()) -> FrameTruth:
    table = np.array(rows, np.float64).reshape(-1, 5)
    flags = np.zeros(len(rows), bool)
    flags[list(ignore)] = True
    return FrameTruth(table[:, 1:], table[:, 0].astype(np.int64), flags)


def found(*rows: tuple[int, float, float, float, float, float]) -> FrameFound:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return FrameFound(table[:, 2:], table[:, 1], table[:, 0].astype(np.int64))


def test_perfect_detections_score_one() -> None:
    frames = [truth((0, 0, 0, 10, 10), (1, 20, 20, 40, 40)), truth((0, 5, 5, 15, 15))]
    same = [found((0, 0.9, 0, 0, 10, 10), (1, 0.8, 20, 20, 40, 40)), found((0, 0.7, 5, 5, 15, 15))]
    accuracy = mean_average_precision(frames, same, ["bolt", "nut"])
    assert (accuracy.map50, accuracy.map50_95, accuracy.objects) == (1.0, 1.0, 3)


def test_a_false_alarm_with_the_best_score_halves_the_precision() -> None:
    accuracy = mean_average_precision(
        [truth((0, 0, 0, 10, 10))], [found((0, 0.9, 50, 50, 60, 60), (0, 0.5, 0, 0, 10, 10))], ["bolt"]
    )
    assert accuracy.map50 == pytest.approx(0.5)


def test_half_of_the_objects_found_is_the_precision_up_to_half_the_recall() -> None:
    accuracy = mean_average_precision(
        [truth((0, 0, 0, 10, 10), (0, 20, 20, 30, 30))], [found((0, 0.9, 0, 0, 10, 10))], ["bolt"]
    )
    assert accuracy.map50 == pytest.approx(51 / 101)


def test_a_second_detection_of_the_same_object_is_a_false_alarm() -> None:
    accuracy = mean_average_precision(
        [truth((0, 0, 0, 10, 10), (0, 20, 20, 30, 30))],
        [found((0, 0.9, 0, 0, 10, 10), (0, 0.8, 0, 0, 10, 9), (0, 0.7, 20, 20, 30, 30))],
        ["bolt"],
    )
    assert accuracy.map50 == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_ignored_objects_are_neither_asked_for_nor_wrong_to_find() -> None:
    frame = truth((0, 0, 0, 10, 10), (0, 20, 20, 30, 30), ignore=(1,))
    without = mean_average_precision([frame], [found((0, 0.5, 0, 0, 10, 10))], ["bolt"])
    with_it = mean_average_precision([frame], [found((0, 0.9, 20, 20, 30, 30), (0, 0.5, 0, 0, 10, 10))], ["bolt"])
    assert without.map50 == with_it.map50 == 1.0
    assert without.objects == 1


@pytest.mark.parametrize(("false_alarms", "precision"), [(99, 0.01), (100, 0.0)])
def test_only_the_best_hundred_detections_of_a_frame_count(false_alarms: int, precision: float) -> None:
    guesses = [(0, 0.9, 50, 50, 60, 60)] * false_alarms + [(0, 0.5, 0, 0, 10, 10)]
    accuracy = mean_average_precision([truth((0, 0, 0, 10, 10))], [found(*guesses)], ["bolt"])
    assert accuracy.map50 == pytest.approx(precision)


def test_a_class_that_is_nowhere_does_not_count() -> None:
    accuracy = mean_average_precision([truth((0, 0, 0, 9, 9))], [found((0, 1, 0, 0, 9, 9))], ["bolt", "nut"])
    assert accuracy.ap50 == {"bolt": 1.0}


def test_nothing_at_all_scores_nothing() -> None:
    assert mean_average_precision([truth()], [found()], ["bolt"]).map50 == 0.0


def test_frames_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="2 frames of truth, 1 of detections"):
        mean_average_precision([truth(), truth()], [found()], ["bolt"])


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_an_independent_evaluation(seed: int) -> None:
    chance = np.random.default_rng(seed)
    frames, guesses = [], []
    for _ in range(12):
        count = int(chance.integers(0, 7))
        corner = chance.uniform(0, 80, (count, 2))
        boxes = np.hstack([corner, corner + chance.uniform(5, 30, (count, 2))])
        classes = chance.integers(0, 3, count)
        frames.append(FrameTruth(boxes, classes.astype(np.int64), np.zeros(count, bool)))
        extra = int(chance.integers(0, 4))
        wild = chance.uniform(0, 80, (extra, 2))
        guess = np.vstack([boxes + chance.normal(0, 2.5, boxes.shape), np.hstack([wild, wild + 12])])
        guesses.append(
            FrameFound(
                guess,
                chance.permutation(len(guess)) / 100 + chance.uniform(0, 0.5, len(guess)),
                np.concatenate([classes, chance.integers(0, 3, extra)]).astype(np.int64),
            )
        )
    ours = mean_average_precision(frames, guesses, ["a", "b", "c"])
    slow = [slow_ap(frames, guesses, one, 0.5) for one in range(3)]
    assert ours.map50 == pytest.approx(np.mean([value for value in slow if value is not None]), abs=1e-9)


def slow_iou(one: list[float], other: list[float]) -> float:
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def slow_ap(frames: list[FrameTruth], guesses: list[FrameFound], one: int, iou_min: float) -> float | None:
    """Loops over single detections, written without looking at the other."""
    wanted = sum(1 for frame in frames for label in frame.class_ids if label == one)
    if not wanted:
        return None
    ranked = sorted(
        (
            (guess.scores[k], f, k)
            for f, guess in enumerate(guesses)
            for k in range(len(guess.scores))
            if guess.class_ids[k] == one
        ),
        reverse=True,
    )
    used: set[tuple[int, int]] = set()
    points, hits = [], 0
    for rank, (_, f, k) in enumerate(ranked, start=1):
        best, where = 0.0, None
        for t, box in enumerate(frames[f].boxes_xyxy):
            if frames[f].class_ids[t] != one or (f, t) in used:
                continue
            overlap = slow_iou(guesses[f].boxes_xyxy[k].tolist(), box.tolist())
            if overlap > best:
                best, where = overlap, (f, t)
        if where is not None and best >= iou_min:
            used.add(where)
            hits += 1
        points.append((hits / wanted, hits / rank))
    total = 0.0
    for step in range(101):
        reach = [precision for recall, precision in points if recall >= step / 100 - 1e-12]
        total += max(reach, default=0.0)
    return total / 101
