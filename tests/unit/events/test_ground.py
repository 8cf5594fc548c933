"""Speeds over the ground: four points, a projection, and objects whose speed is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from support.walks import HW, told, walks
from vigie.contracts.events import LineEvent, ObjectEvent, ZoneEvent
from vigie.errors import ConfigRefusedError
from vigie.events.check import check_rules
from vigie.events.ground import homography, on_ground
from vigie.events.settings import CameraRules, Ground, Line, Zone

# A road of 8 m x 20 m as a camera above it sees it: narrow far away.
SEEN = [(0.35, 0.3), (0.65, 0.3), (0.95, 0.95), (0.05, 0.95)]
METRES = [(0.0, 20.0), (8.0, 20.0), (8.0, 0.0), (0.0, 0.0)]
GROUND = Ground(points=SEEN, metres=METRES)
TO_PICTURE = homography(METRES, SEEN)
WHOLE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]


def driving(speed: float, *, jitter_px: float = 0.0, seed: int = 1) -> Callable[[float], tuple[float, float] | None]:
    """Up the road at so many metres per second, from its near end."""
    rng = random.Random(seed)

    def at(at_s: float) -> tuple[float, float] | None:
        north = speed * at_s
        if north > 20:
            return None
        x, y = on_ground(TO_PICTURE, (4.0, north))
        return x * HW[1] + rng.gauss(0, jitter_px), y * HW[0] + rng.gauss(0, jitter_px)

    return at


def test_the_four_points_and_what_lies_between_them_are_where_they_were_measured() -> None:
    h = homography(SEEN, METRES)
    for point, place in zip(SEEN, METRES, strict=True):
        assert on_ground(h, point) == pytest.approx(place, abs=1e-9)
    middle = on_ground(TO_PICTURE, (4.0, 10.0))
    assert on_ground(h, middle) == pytest.approx((4.0, 10.0), abs=1e-9)


def test_a_point_above_the_horizon_is_nowhere_on_the_ground() -> None:
    # The edges of the road meet at y = 0.15.
    far = [(0.4, 0.3), (0.6, 0.3), (1.0, 0.9), (0.0, 0.9)]
    h = homography(far, METRES)
    assert [on_ground(h, point) for point in far] == [pytest.approx(place) for place in METRES]
    assert [on_ground(h, (0.5, y)) is None for y in (0.0, 0.14, 0.16, 1.0)] == [True, True, False, False]


@pytest.mark.parametrize("speed", [1.0, 2.0, 4.0])
def test_a_crossing_tells_how_fast_it_was_near_and_far(speed: float) -> None:
    near, far = ([(0.0, y), (1.0, y)] for y in (0.6, 0.4))
    rules = CameraRules(lines={"near": Line(points=near), "far": Line(points=far)}, ground=GROUND)
    events = told(walks(25, 15, a=driving(speed)), rules)
    speeds = {one.line: one.speed for one in events if isinstance(one, LineEvent)}
    assert speeds == {"near": pytest.approx(speed, rel=0.02), "far": pytest.approx(speed, rel=0.02)}
    [end] = [one for one in events if isinstance(one, ObjectEvent) and one.phase == "end"]
    assert end.top_speed == pytest.approx(speed, rel=0.02)


def test_a_box_that_jitters_makes_no_great_speed() -> None:
    rules = CameraRules(lines={"near": Line(points=[(0.0, 0.6), (1.0, 0.6)])}, ground=GROUND)
    found = [
        one.speed
        for seed in range(20)
        for one in told(walks(12, 15, a=driving(2.0, jitter_px=1.0, seed=seed)), rules)
        if isinstance(one, LineEvent)
    ]
    assert len(found) == 20
    assert all(1.5 < speed < 2.5 for speed in found)


def test_too_fast_in_a_zone_is_told_once_as_an_alert_and_the_slow_one_is_not() -> None:
    rules = CameraRules(zones={"road": Zone(points=WHOLE, speed_limit=3.0)}, ground=GROUND)
    fast = [one for one in told(walks(10, 15, a=driving(4.0)), rules) if isinstance(one, ZoneEvent)]
    assert [(one.phase, one.severity, one.speeding) for one in fast] == [
        ("new", "event", False), ("update", "alert", True), ("end", "alert", True),
    ]  # fmt: skip
    assert fast[1].speed > 3.0
    slow = [one for one in told(walks(10, 15, a=driving(2.5)), rules) if isinstance(one, ZoneEvent)]
    assert [one.phase for one in slow] == ["new", "end"]


def test_without_a_calibration_no_event_has_a_speed() -> None:
    rules = CameraRules(zones={"road": Zone(points=WHOLE)})
    events = told(walks(10, 15, a=driving(2.0)), rules)
    assert all(getattr(one, "speed", None) is None and getattr(one, "top_speed", None) is None for one in events)


@pytest.mark.parametrize(
    ("seen", "metres", "reason"),
    [
        ([(0.1, 0.1), (0.5, 0.5), (0.9, 0.9), (0.1, 0.9)], METRES, "three of the four points lie on a line"),
        ([(0.1, 0.1), (0.1, 0.1), (0.9, 0.9), (0.1, 0.9)], METRES, "three of the four points lie on a line"),
        (SEEN, [METRES[0], METRES[2], METRES[1], METRES[3]], "not in the same order"),
    ],
    ids=["on a line", "the same twice", "crossed"],
)
def test_points_that_give_no_projection_are_refused_with_their_path(
    seen: list[tuple[float, float]], metres: Any, reason: str
) -> None:
    with pytest.raises(ConfigRefusedError, match=r"\$\.cameras\.road\.ground: .*" + reason):
        check_rules({"road": CameraRules(ground=Ground(points=seen, metres=metres))})


def test_a_limit_without_a_calibration_is_refused_with_its_path() -> None:
    with pytest.raises(ConfigRefusedError, match=r"\$\.cameras\.yard\.zones\.gate\.speed_limit: speeds need"):
        check_rules({"yard": CameraRules(zones={"gate": Zone(points=WHOLE, speed_limit=2.0)})})


def test_the_projection_of_random_quadrilaterals_comes_back() -> None:
    rng = random.Random(5)
    for _ in range(200):
        seen = [(0.5 + 0.4 * math.cos(a) * rng.uniform(0.7, 1), 0.5 + 0.4 * math.sin(a) * rng.uniform(0.7, 1))
                for a in (0.8, 2.4, 3.9, 5.5)]  # fmt: skip
        h, back = homography(seen, METRES), homography(METRES, seen)
        inner = (sum(x for x, _ in seen) / 4, sum(y for _, y in seen) / 4)
        assert on_ground(back, on_ground(h, inner)) == pytest.approx(inner, abs=1e-6)
