"""Drift of one camera in seeded streams: none on stationary data, told once where scores or classes move away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vigie_inference.drift.watch import CameraDrift, DriftChange

HOUR = 3600.0
Scene = Callable[[np.random.Generator, int], tuple[str, float]]


def usual(rng: np.random.Generator, hour: int) -> tuple[str, float]:
    """Mostly cars by day and people by night, which a window of a day evens out."""
    car = 0.8 if 6 <= hour % 24 < 20 else 0.3
    return ("car" if rng.random() < car else "person", float(np.clip(rng.beta(6, 2), 0.25, 0.99)))


def surer_of_less(rng: np.random.Generator, hour: int) -> tuple[str, float]:
    """A dirty lens: the same objects, at lower scores."""
    return usual(rng, hour)[0], float(np.clip(rng.beta(3, 3), 0.25, 0.99))


def other_traffic(rng: np.random.Generator, hour: int) -> tuple[str, float]:
    label, score = usual(rng, hour)
    return ("truck" if rng.random() < 0.4 else label), score


def live(camera: CameraDrift, scene: Scene, hours: int, rng: np.random.Generator, begin: int = 0) -> list[DriftChange]:
    found = []
    for hour in range(begin, begin + hours):
        for _ in range(int(rng.poisson(40))):
            camera.saw(*scene(rng, hour))
        found += camera.passed(HOUR, base_s=72 * HOUR, window_s=24 * HOUR, psi_max=0.25)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_stationary_data_raises_no_alarm_in_weeks(seed: int) -> None:
    camera = CameraDrift()
    assert live(camera, usual, 21 * 24, np.random.default_rng(seed)) == []
    assert camera.learned
    assert max(found.psi for found in camera.found.values()) < 0.1


@pytest.mark.parametrize(("scene", "what"), [(surer_of_less, "scores"), (other_traffic, "classes")])
def test_what_moves_away_is_told_once_within_a_day_and_so_is_its_return(scene: Scene, what: str) -> None:
    rng, camera = np.random.default_rng(3), CameraDrift()
    assert live(camera, usual, 120, rng) == []
    away = live(camera, scene, 24, rng, begin=120)
    assert [(one.what, one.begins) for one in away] == [(what, True)]
    assert away[0].stability.psi > away[0].stability.limit
    assert live(camera, scene, 48, rng, begin=144) == [], "told again while it goes on"
    back = live(camera, usual, 48, rng, begin=192)
    assert [(one.what, one.begins) for one in back] == [(what, False)]


def test_few_objects_say_nothing() -> None:
    camera = CameraDrift()
    for _ in range(199):
        camera.saw("car", 0.9)
    camera.passed(100 * HOUR, base_s=72 * HOUR, window_s=24 * HOUR, psi_max=0.25)
    assert not camera.learned
    camera.saw("car", 0.9)
    camera.passed(HOUR, base_s=72 * HOUR, window_s=24 * HOUR, psi_max=0.25)
    assert camera.learned
    for _ in range(48):
        camera.saw("person", 0.3)
        assert camera.passed(HOUR, base_s=72 * HOUR, window_s=24 * HOUR, psi_max=0.25) == []
