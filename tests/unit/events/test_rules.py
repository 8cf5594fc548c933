"""Zones, lines, presence, objects and counts: exact on walks as told and on the rendered belt."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest

from support.walks import HW, belt, detection, frame, kinds, told, walks
from vigie.contracts.events import Aggregate, LineEvent, MissingEvent, ObjectEvent, PresenceEvent, ZoneEvent
from vigie.events.camera import CameraEvents
from vigie.events.geometry import inside
from vigie.events.rules import Rules
from vigie.events.schedule import counts
from vigie.events.settings import CameraRules, EventSettings, Line, Schedule, Zone
from vigie.vision.tracking import Tracker, TrackerSettings

GATE = [(0.25, 0.0), (0.75, 0.0), (0.75, 1.0), (0.25, 1.0)]  # 160 to 480 pixels
MIDDLE = [(0.5, 0.0), (0.5, 1.0)]
# Ten minutes (600) are as exact, and take two.
TRUTH_SECONDS = float(os.environ.get("VIGIE_TRUTH_SECONDS", "60"))


def zone(**more: object) -> CameraRules:
    return CameraRules(zones={"gate": Zone(points=GATE, **more)})


def line(**more: object) -> CameraRules:
    return CameraRules(lines={"door": Line(points=more.pop("points", MIDDLE), **more)})


def across(
    begin_s: float = 0.0, speed_px: float = 80.0, y: float = 200.0
) -> Callable[[float], tuple[float, float] | None]:
    return lambda at_s: (speed_px * (at_s - begin_s), y) if 0 <= at_s - begin_s < 640 / speed_px else None


def there_and_back(at_s: float) -> tuple[float, float]:
    return (min(at_s, 16 - at_s) * 60, 200.0)


def test_an_object_that_walks_through_a_zone_enters_and_leaves_once_with_its_dwell() -> None:
    entered, left = [one for one in told(walks(10, a=across()), zone()) if isinstance(one, ZoneEvent)]
    assert (entered.phase, entered.inside, entered.track, entered.label) == ("new", 1, "a", "person")
    assert (left.phase, left.inside, left.id) == ("end", 0, entered.id)
    # 320 pixels at 80 per second.
    assert left.seconds == pytest.approx(4.0, abs=0.2)
    assert entered.started_at == left.started_at == "2026-11-28T10:00:02.000000Z"


def test_one_that_stands_on_the_edge_of_a_zone_and_jitters_neither_enters_nor_leaves_all_the_time() -> None:
    rng = random.Random(1)
    events = told(walks(120, 15, a=lambda _: (160 + rng.gauss(0, 3), 200.0)), zone())
    assert len(kinds(events, ZoneEvent)) <= 2


def test_a_short_gap_in_sight_does_not_end_a_stay() -> None:
    def blinking(at_s: float) -> tuple[float, float] | None:
        return None if 3 < at_s < 4.5 else (320.0, 200.0)

    _, left = [one for one in told(walks(8, a=blinking), zone()) if isinstance(one, ZoneEvent)]
    assert left.seconds == pytest.approx(7.9, abs=0.2)


def test_loitering_is_told_once_per_stay_as_an_alert_and_begins_anew_after_leaving() -> None:
    def twice(at_s: float) -> tuple[float, float]:
        return (320.0 if at_s < 7 or at_s >= 10 else 20.0, 200.0)

    events = [one for one in told(walks(20, a=twice), zone(loiter_seconds=5)) if isinstance(one, ZoneEvent)]
    assert [(one.phase, one.severity, one.loitering) for one in events] == [
        ("new", "event", False), ("update", "alert", True), ("end", "alert", True),
        ("new", "event", False), ("update", "alert", True), ("end", "alert", True),
    ]  # fmt: skip
    assert events[0].id == events[2].id != events[3].id
    assert events[4].seconds == pytest.approx(5, abs=0.2)


def test_a_zone_counts_who_is_inside_by_class_and_only_the_classes_that_it_is_for() -> None:
    def frames() -> Iterator[Any]:
        for n in range(40):
            yield frame(n / 10, [detection("a", 300, 200), detection("b", 340, 200),
                                 detection("c", 320, 200, label="dog")])  # fmt: skip

    events = told(frames(), zone(classes=["person"]))
    assert max(one.inside for one in events if isinstance(one, ZoneEvent)) == 2
    assert {one.label for one in events if isinstance(one, ZoneEvent)} == {"person"}
    _, counted = [one for one in events if isinstance(one, Aggregate)]
    assert counted.zones["gate"]["person"].most == 2
    assert counted.zones["gate"].keys() == {"person"}
    assert counted.objects == {"person": 2, "dog": 1}


def test_presence_begins_with_the_first_and_ends_when_nothing_was_there_for_the_absent_time() -> None:
    rules = zone(presence=True, absent_seconds=3, alert="absent")
    events = told(walks(30, a=across(0), b=across(3), c=across(16)), rules, close=False)
    found = [one for one in events if isinstance(one, PresenceEvent)]
    assert [(one.phase, one.severity) for one in found] == [("new", "event"), ("end", "alert")] * 2
    # a is inside from 2 to 6 s and b from 5 to 9 s: one presence.
    assert found[1].seconds == pytest.approx(7.0, abs=0.5)


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_a_crossing_counts_once_in_its_direction_and_the_way_back_counts_again(fps: float) -> None:
    events = [one for one in told(walks(16, fps, a=there_and_back), line()) if isinstance(one, LineEvent)]
    # From the top down: who comes from the left of the picture comes from the right of the line.
    assert [one.direction for one in events] == ["backward", "forward"]
    assert [one.direction for one in events if one.severity == "alert"] == []


def test_one_that_stands_beside_a_line_for_a_minute_and_jitters_crosses_nothing() -> None:
    rng = random.Random(2)
    events = told(walks(60, 30, a=lambda _: (321 + rng.gauss(0, 1.2), 200 + rng.gauss(0, 2.4))), line())
    assert kinds(events, LineEvent) == []


def test_walking_round_the_end_of_a_line_is_no_crossing() -> None:
    short = line(points=[(0.5, 0.0), (0.5, 0.4)])  # ends 144 pixels down; the walk is at 200
    assert kinds(told(walks(16, a=there_and_back), short), LineEvent) == []


def test_an_alert_is_what_the_rule_says() -> None:
    events = told(walks(16, a=there_and_back), line(alert="forward"))
    found = [one for one in events if isinstance(one, LineEvent)]
    assert [(one.direction, one.severity) for one in found] == [("backward", "event"), ("forward", "alert")]
    events = told(walks(16, a=there_and_back), zone(alert="enter"))
    assert {one.severity for one in events if isinstance(one, ZoneEvent) and one.phase == "new"} == {"alert"}


def test_an_object_is_new_updated_and_gone_under_one_id_with_path_stays_and_its_best_frame() -> None:
    def near_in_the_middle(n: int) -> Any:
        x = 10.0 * n
        size = 80 - abs(320 - x) / 8
        box = (x - size / 2, 200 - size, x + size / 2, 200.0)
        return msgspec.structs.replace(detection("a", x, 200), box_xyxy=box)

    frames = [frame(n / 5, [near_in_the_middle(n)]) for n in range(65)]
    events = [one for one in told(frames, zone(), update_seconds=5) if isinstance(one, ObjectEvent)]
    assert [one.phase for one in events] == ["new", "update", "update", "end"]
    assert {one.id for one in events} == {"a"}
    assert len({one.key for one in events}) == 4
    end = events[-1]
    assert end.best.trace == "dock-0badc0de-6400"
    assert end.seconds == pytest.approx(12.8)
    assert 4 <= len(end.path) <= 8
    assert end.path[0][0] < 0.05
    assert end.path[-1][0] > 0.9
    assert [(stay.zone, round(stay.seconds)) for stay in end.stays] == [("gate", 6)]
    assert end.stays[0].left_at is not None
    assert events[1].stays[0].left_at is None


def test_a_label_that_flips_is_voted_and_makes_no_second_object() -> None:
    rng = random.Random(3)
    frames = [
        frame(n / 10, [detection("a", 300, 200, label="truck" if rng.random() < 0.2 else "car")]) for n in range(200)
    ]
    events = [one for one in told(frames) if isinstance(one, ObjectEvent)]
    assert [(one.phase, one.label) for one in events][-1] == ("end", "car")
    assert len([one for one in events if one.phase == "update"]) <= 2


def test_a_track_of_a_moment_is_no_object_and_detections_without_a_track_are_only_counted() -> None:
    frames = [frame(n / 10, [detection(None, 300, 200)] + [detection("a", 20, 90)] * (n in {3, 4})) for n in range(50)]
    events = told(frames)
    assert kinds(events, Aggregate) == [("Aggregate", "end")] * 2 == kinds(events, object)
    assert [(one.frames, one.detections, one.objects) for one in events] == [(1, 1, {}), (49, 51, {})]


def test_counts_come_once_per_interval_that_begins_at_a_whole_multiple() -> None:
    found = [one for one in told(walks(150, 5, a=across(), b=across(70)), line()) if isinstance(one, Aggregate)]
    # The first frame is told at once.
    assert [one.frames for one in found] == [1, 299, 300, 150]
    assert [one.started_at[11:19] for one in found] == ["10:00:00", "10:00:00", "10:01:00", "10:02:00"]
    assert [one.lines.get("door", {}).get("person") is not None for one in found] == [False, True, True, False]
    assert [dict(one.objects) for one in found] == [{}, {"person": 1}, {"person": 1}, {}]


def test_a_frame_that_is_handed_over_twice_brings_about_nothing() -> None:
    frames = list(walks(10, a=across()))
    twice = [item for one in frames for item in (one, one)]
    assert told(twice, zone()) == told(frames, zone())


def test_after_a_restart_the_same_frame_gives_the_same_keys() -> None:
    frames = list(walks(10, a=across()))
    whole = {one.key for one in told(frames, zone()) if isinstance(one, ObjectEvent | ZoneEvent)}
    again = {one.key for one in told(frames[-50:], zone()) if isinstance(one, ZoneEvent) and one.phase == "end"}
    assert {key for key in again if "/dock-0badc0de-2000/" in key} <= whole


def test_a_camera_that_falls_silent_has_nothing_in_view_after_ten_seconds() -> None:
    rules = Rules()
    rules.configure(EventSettings(), {"dock": zone()})
    frames = list(walks(5, a=across()))
    for n, item in enumerate(frames):
        rules.observe(item, n / 10)
    assert rules.idle(14.0) == []
    ended = rules.idle(15.0)
    assert kinds(ended, ZoneEvent, ObjectEvent) == [("ZoneEvent", "end"), ("ObjectEvent", "end")]
    assert ended[-1].at == frames[-1].captured_at
    assert rules.idle(30.0) == rules.close() == []


def test_a_changed_zone_ends_its_stays_and_one_that_stays_the_same_keeps_them() -> None:
    camera = CameraEvents(EventSettings(), zone())
    for item in walks(4, a=across()):
        camera.observe(item)
    assert camera.configure(EventSettings(), zone()) == []
    assert kinds(camera.configure(EventSettings(), CameraRules())) == []
    camera = CameraEvents(EventSettings(), zone())
    for item in walks(4, a=across()):
        camera.observe(item)
    assert kinds(camera.configure(EventSettings(), CameraRules()), ZoneEvent) == [("ZoneEvent", "end")]


@pytest.mark.parametrize(
    ("schedule", "at", "expected"),
    [
        (None, "2026-11-28T03:00", True),
        (Schedule(begin="18:00", end="06:00"), "2026-11-28T17:59", False),
        (Schedule(begin="18:00", end="06:00"), "2026-11-28T18:00", True),
        (Schedule(begin="18:00", end="06:00"), "2026-11-29T05:59", True),
        (Schedule(begin="18:00", end="06:00"), "2026-11-29T06:00", False),
        (Schedule(days=["sat"], begin="18:00", end="06:00"), "2026-11-29T05:59", True),
        (Schedule(days=["sat"], begin="18:00", end="06:00"), "2026-11-28T05:59", False),
        (Schedule(days=["sat"]), "2026-11-28T12:00", True),
        (Schedule(days=["sat"]), "2026-11-29T00:00", False),
        (Schedule(begin="08:00", end="17:00"), "2026-11-28T08:00", True),
        (Schedule(begin="08:00", end="17:00"), "2026-11-28T17:00", False),
    ],
)
def test_a_schedule_counts_in_utc_and_goes_over_midnight(schedule: Schedule | None, at: str, expected: bool) -> None:
    assert counts(schedule, datetime.fromisoformat(at).replace(tzinfo=UTC)) is expected


def test_outside_its_schedule_a_rule_tells_nothing() -> None:
    asleep = Schedule(begin="11:00", end="12:00")
    events = told(walks(16, a=there_and_back), zone(schedule=asleep))
    events += told(walks(16, a=there_and_back), line(schedule=asleep))
    assert kinds(events, ZoneEvent, LineEvent) == []


def test_a_polygon_with_a_notch_holds_what_is_in_it() -> None:
    notched = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.2), (0.0, 1.0)]
    assert [inside(one, notched) for one in [(0.5, 0.1), (0.5, 0.9), (0.1, 0.7), (1.5, 0.5)]] == [
        True, False, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("fps", [10, 30])
def test_crossings_stays_and_objects_on_the_rendered_belt_are_exactly_those_of_the_truth(fps: float) -> None:
    rules = CameraRules(
        zones={"gate": Zone(points=GATE, anchor="centre")}, lines={"door": Line(points=MIDDLE, anchor="centre")}
    )
    frames, places = [], {}
    for item, boxes in belt(TRUTH_SECONDS, fps):
        frames.append(item)
        for name, (left, _, right, _) in boxes.items():
            places.setdefault(name, []).append((len(frames) / fps, (left + right) / 2 / HW[1], (right - left) / HW[1]))
    events = told(frames, rules)

    def clear_sides(spots: list[tuple[float, float, float]]) -> list[bool]:
        return [x > 0.5 for _, x, wide in spots if abs(x - 0.5) > 0.15 * wide]

    crossed = [name for name, spots in places.items() if len(set(clear_sides(spots))) == 2]
    assert Counter(one.track for one in events if isinstance(one, LineEvent)) == Counter(crossed)
    assert len(crossed) > 10
    assert len({one.direction for one in events if isinstance(one, LineEvent)}) == 1
    within = {name: [at for at, x, _ in spots if 0.25 < x < 0.75] for name, spots in places.items()}
    stays = {name: times[-1] - times[0] for name, times in within.items() if times and times[-1] - times[0] >= 0.3}
    ends = {one.track: one.seconds for one in events if isinstance(one, ZoneEvent) and one.phase == "end"}
    assert ends.keys() == stays.keys()
    assert all(abs(ends[name] - stays[name]) <= 0.2 for name in ends)
    seen = {name for name, spots in places.items() if spots[-1][0] - spots[0][0] >= 0.3}
    assert {one.id for one in events if isinstance(one, ObjectEvent) and one.phase == "new"} == seen
    assert {one.id for one in events if isinstance(one, ObjectEvent) and one.phase == "end"} == seen
    counted = [one for one in events if isinstance(one, Aggregate)]
    assert sum(count.entered for one in counted for count in one.zones.get("gate", {}).values()) == len(stays)
    assert sum(sum(one.objects.values()) for one in counted) == len(seen)


def test_crossings_by_the_tracker_on_the_rendered_belt_are_exactly_those_of_the_truth() -> None:
    tracker, frames, sides = Tracker(TrackerSettings(good_score=0.5)), [], {}
    for item, boxes in belt(TRUTH_SECONDS, 15):
        found = item.detections
        numbers = tracker.update(
            np.array([one.box_xyxy for one in found], np.float32).reshape(-1, 4),
            np.array([one.score for one in found], np.float32),
            np.zeros(len(found), np.int32), item.captured_ns / 1e9,
        )  # fmt: skip
        seen = [
            msgspec.structs.replace(one, track=str(number) if number else None)
            for one, number in zip(found, numbers.tolist(), strict=True)
        ]
        frames.append(msgspec.structs.replace(item, detections=seen))
        for name, (left, _, right, _) in boxes.items():
            off, wide = (left + right) / 2 - HW[1] / 2, right - left
            if abs(off) > 0.15 * wide:
                sides.setdefault(name, set()).add(off > 0)
    crossed = sum(len(one) == 2 for one in sides.values())
    events = told(frames, CameraRules(lines={"door": Line(points=MIDDLE, anchor="centre")}))
    assert sum(isinstance(one, LineEvent) for one in events) == crossed > TRUTH_SECONDS / 6


def missing(events: list[Any]) -> list[tuple[str, str, int]]:
    return [(one.phase, one.severity, one.inside) for one in events if isinstance(one, MissingEvent)]


def test_an_object_that_belongs_into_a_zone_and_is_not_there_is_missing_until_it_is() -> None:
    def away(at_s: float) -> tuple[float, float] | None:
        return (320.0, 200.0) if at_s < 4 or at_s >= 12 else None

    events = told(walks(16, a=away), zone(expected=1, absent_seconds=2.95, settle_seconds=0.25), gone_seconds=0.95)
    assert missing(events) == [("new", "alert", 0), ("end", "event", 1)]
    new, end = [one for one in events if isinstance(one, MissingEvent)]
    assert new.id == end.id
    # Gone for a second, missing after three more; back when it has stayed.
    assert (new.at, end.at) == ("2026-11-28T10:00:07.900000Z", "2026-11-28T10:00:12.300000Z")


def test_what_was_never_there_is_missing_too_and_one_of_two_is() -> None:
    assert missing(told(walks(5, b=lambda _: (20.0, 200.0)), zone(expected=1)))[0] == ("new", "alert", 0)
    both = told(walks(5, a=lambda _: (300.0, 200.0), b=lambda _: (340.0, 200.0)), zone(expected=2))
    assert missing(both) == []
    assert missing(told(walks(5, a=lambda _: (300.0, 200.0)), zone(expected=2)))[0] == ("new", "alert", 1)


def test_nothing_is_missing_outside_the_schedule_and_what_is_missing_ends_with_the_camera() -> None:
    nobody = {"a": lambda _: (20.0, 200.0)}
    assert missing(told(walks(5, **nobody), zone(expected=1, schedule=Schedule(begin="11:00", end="12:00")))) == []
    assert missing(told(walks(5, **nobody), zone(expected=1))) == [("new", "alert", 0), ("end", "event", 0)]
