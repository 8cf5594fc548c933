"""Who is who: on the rendered belt and on walkers whose identities are known, under what cameras and detectors do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
import pytest

from vigie.vision.boxes import iou_matrix
from vigie.vision.tracking import Tracker, TrackerSettings
from vigie_devkit.bench.tracking_scenes import Noise, TrackedFrame, belt, times, walkers

CLEAN = Noise(missing=0, low=0, false=0, jitter=0, flipped=0)


def numbers_by_object(frames: Iterable[TrackedFrame], tracker: Tracker | None = None) -> dict[int, Counter[int]]:
    """Which numbers each true object was given, and how often."""
    tracker = tracker or Tracker()
    given: dict[int, Counter[int]] = defaultdict(Counter)
    for frame in frames:
        numbers = tracker.update(frame.boxes_xyxy, frame.scores, frame.class_ids, frame.at_s)
        overlap = iou_matrix(frame.truth_xyxy, frame.boxes_xyxy)
        for column, number in enumerate(numbers.tolist()):
            if number and len(overlap) and overlap[:, column].max() > 0.5:
                given[int(frame.truth_ids[overlap[:, column].argmax()])][number] += 1
    return given


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def step(tracker: Tracker, at_s: float, *rows: tuple[float, float, float, float], score: float = 0.9) -> list[int]:
    count = len(rows)
    return tracker.update(boxes(*rows), np.full(count, score, np.float32), np.zeros(count, np.int32), at_s).tolist()


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_each_part_on_the_rendered_belt_has_one_number_and_no_other_part_has_it(fps: float) -> None:
    frames = list(belt(20 if fps > 5 else 5, times(fps, 20), 5, CLEAN))
    given = numbers_by_object(frames)
    sights = Counter(int(one) for frame in frames for one in frame.truth_ids)
    assert len(given) > 10
    assert {part for part, count in sights.items() if count > 2} <= given.keys()
    assert all(len(numbers) == 1 for numbers in given.values())
    assert len({number for numbers in given.values() for number in numbers}) == len(given)


def test_walkers_keep_their_numbers_through_missed_frames_low_scores_jitter_and_flipped_labels() -> None:
    given = numbers_by_object(walkers(10, times(15, 40), 3, Noise(flipped=0.1)))
    assert len(given) == 10
    assert sum(max(numbers.values()) for numbers in given.values()) > 0.97 * sum(map(Counter.total, given.values()))


def test_unevenly_spaced_frames_cost_no_number_because_time_is_in_seconds() -> None:
    given = numbers_by_object(belt(5, times(15, 40, uneven=True), 4, Noise(low=0.15, missing=0, false=0)))
    assert len(given) > 10
    assert all(len(numbers) == 1 for numbers in given.values())


def test_an_object_that_stands_for_twenty_minutes_with_every_tenth_box_missing_is_one_object() -> None:
    rng = np.random.default_rng(1)
    tracker, seen = Tracker(), set()
    for n in range(12_000):
        place = boxes(*([(100, 100, 160, 240)] if rng.uniform() > 0.1 else [])) + rng.normal(0, 1.5, 4)
        score = np.clip(rng.normal(0.45, 0.12, len(place)), 0, 1).astype(np.float32)
        found = tracker.update(place.astype(np.float32), score, np.zeros(len(place), np.int32), n / 10)
        seen |= set(found.tolist())
    assert seen - {0} == {1}


def test_the_first_sight_has_no_number_and_a_detection_of_one_frame_never_gets_one() -> None:
    tracker = Tracker()
    assert step(tracker, 0.0, (0, 0, 50, 50), (300, 300, 350, 350)) == [0, 0]
    assert step(tracker, 0.1, (1, 0, 51, 50)) == [1]
    assert step(tracker, 0.2, (2, 0, 52, 50), (300, 300, 350, 350)) == [1, 0]


def test_an_object_that_returns_within_the_lost_time_is_the_same_and_later_another() -> None:
    for away_s, expected in ((0.8, 1), (1.2, 0)):
        tracker = Tracker(TrackerSettings(lost_s=1.0))
        for n in range(3):
            last = step(tracker, n / 10, (10, 10, 60, 60))
        assert last == [1]
        for n in range(3, round(10 * away_s) + 2):
            step(tracker, n / 10)
        assert step(tracker, 0.2 + away_s, (10, 10, 60, 60)) == [expected]


def test_a_camera_of_one_frame_per_second_keeps_a_track_over_a_missed_detection() -> None:
    tracker = Tracker(TrackerSettings(lost_s=1.0))
    assert [step(tracker, n, (10, 10, 60, 60)) for n in range(2)] == [[0], [1]]
    step(tracker, 2)
    assert step(tracker, 3, (10, 10, 60, 60)) == [1]


def test_weak_detections_keep_a_track_and_begin_none() -> None:
    tracker = Tracker()
    assert [step(tracker, n / 10, (10, 10, 60, 60), score=0.3) for n in range(3)] == [[0]] * 3
    assert [step(tracker, 1 + n / 10, (10, 10, 60, 60)) for n in range(2)] == [[0], [1]]
    assert [step(tracker, 2 + n / 10, (10, 10, 60, 60), score=0.3) for n in range(20)] == [[1]] * 20
    assert step(tracker, 4.0, (10, 10, 60, 60), score=0.05) == [0]


def test_a_frame_that_is_not_later_changes_nothing() -> None:
    tracker = Tracker()
    step(tracker, 1.0, (10, 10, 60, 60))
    assert step(tracker, 1.0, (10, 10, 60, 60)) == [0]
    assert step(tracker, 0.5, (10, 10, 60, 60)) == [0]
    assert step(tracker, 1.1, (10, 10, 60, 60)) == [1]


def test_equal_detections_give_equal_numbers() -> None:
    frames = list(walkers(20, times(10, 10), 8))
    runs = []
    for _ in range(2):
        tracker = Tracker()
        runs.append([tracker.update(f.boxes_xyxy, f.scores, f.class_ids, f.at_s).tolist() for f in frames])
    assert runs[0] == runs[1]


def test_no_frame_that_a_camera_can_send_breaks_it() -> None:
    tracker = Tracker()
    for n, rows in enumerate([(), ((5, 5, 5, 5),), ((0, 0, 1e6, 1e6), (-9, -9, -1, -1)), (), ((5, 5, 5, 5),)]):
        assert len(step(tracker, n / 10, *rows)) == len(rows)
    assert step(tracker, 1e9, (5, 5, 9, 9)) == [0]
