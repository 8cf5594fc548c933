"""A covered or defocused lens is told from night and passers-by; a flood of damage from a lost packet. No clock."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from support.camera_module import Listener, camera_module, until
from support.data import real_input
from support.web_camera import web_camera
from vigie.contracts.events import CameraDegraded
from vigie.synthetic import open_scene
from vigie_camera.decode.tamper import Tamper
from vigie_camera.flood import WINDOW_S, Flood

Plane = NDArray[np.uint8]
LIMIT_S = 10.0
NORMAL_S, AFTER_S = 40.0, 25.0


SIZE_WH = (480, 360)
NOISE = [np.random.default_rng(seed).normal(0.0, 3.0, SIZE_WH[::-1]).astype(np.float32) for seed in range(5)]


def noisy(plane: NDArray[np.float32] | Plane, seed: int) -> Plane:
    return np.clip(plane + NOISE[seed % len(NOISE)], 0, 255).astype(np.uint8)


def longest_s(frames: Iterator[Plane], change: Callable[[Plane], NDArray[np.float32] | Plane]) -> float:
    """``frames``, twice a second, normal and then changed: for how long it is called strange at most."""
    tamper, longest = Tamper(), 0.0
    changed: dict[int, NDArray[np.float32] | Plane] = {}
    for number in range(int(2 * (NORMAL_S + AFTER_S))):
        now_s = number / 2
        plane = next(frames)
        if now_s >= NORMAL_S and id(plane) not in changed:
            changed[id(plane)] = change(plane)
        shown = plane if now_s < NORMAL_S else changed[id(plane)]
        strange_s = tamper.look(noisy(shown, number), now_s)
        assert now_s >= NORMAL_S or strange_s == 0.0
        longest = max(longest, strange_s)
    return longest


def belt() -> Iterator[Plane]:
    scene = open_scene("synthetic://conveyor?seed=3&size=480x360")
    rendered = [cv2.cvtColor(scene.render(5 * number), cv2.COLOR_BGR2GRAY) for number in range(10)]
    return itertools.cycle([np.asarray(one, np.uint8) for one in rendered])


def clip(name: str) -> Iterator[Plane]:
    capture = cv2.VideoCapture(str(real_input(name)))
    planes = []
    while len(planes) < 10 and capture.grab():
        if capture.get(cv2.CAP_PROP_POS_FRAMES) % 10 == 0:
            small_bgr = cv2.resize(capture.retrieve()[1], SIZE_WH, interpolation=cv2.INTER_AREA)
            planes.append(np.asarray(cv2.cvtColor(small_bgr, cv2.COLOR_BGR2GRAY), np.uint8))
    capture.release()
    return itertools.cycle(planes)


SCENES = {
    "belt": belt,
    "persons": lambda: clip("one-by-one-person-detection.mp4"),
    "bottles": lambda: clip("bottle-detection.mp4"),
}
TAMPERING: dict[str, Callable[[Plane], NDArray[np.float32] | Plane]] = {
    "out of focus": lambda plane: np.asarray(cv2.GaussianBlur(plane, (0, 0), plane.shape[1] / 25), np.uint8),
    "covered by a bright cloth": lambda plane: np.full(plane.shape, 150, np.uint8),
    "sprayed": lambda plane: np.asarray(cv2.GaussianBlur(plane, (0, 0), plane.shape[1] / 20), np.float32) * 0.3 + 120,
}
HARMLESS: dict[str, Callable[[Plane], NDArray[np.float32] | Plane]] = {
    "nothing": lambda plane: plane,
    "night": lambda plane: plane.astype(np.float32) * 0.35,
    "brighter": lambda plane: plane.astype(np.float32) * 1.3,
    "upside down": lambda plane: plane[::-1],
    "somebody before a third of it": lambda plane: np.concatenate(
        [np.full((plane.shape[0], plane.shape[1] // 3), 90, np.uint8), plane[:, plane.shape[1] // 3 :]], axis=1
    ),
    "coarse compression": lambda plane: np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", plane, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_GRAYSCALE), np.uint8
    ),
}


@pytest.mark.parametrize("change", TAMPERING.values(), ids=TAMPERING.keys())
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_a_lens_that_is_covered_or_out_of_focus_is_told(scene: Callable[[], Iterator[Plane]], change: Any) -> None:
    assert longest_s(scene(), change) >= LIMIT_S


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS.keys())
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_night_passers_by_and_compression_are_not(scene: Callable[[], Iterator[Plane]], change: Any) -> None:
    assert longest_s(scene(), change) < LIMIT_S


def test_a_wall_that_never_had_edges_is_not_judged_and_a_lens_that_is_clean_again_is_at_once() -> None:
    wall = itertools.repeat(np.full(SIZE_WH[::-1], 120, np.uint8))
    assert longest_s(wall, TAMPERING["out of focus"]) == 0.0
    tamper, frames = Tamper(), belt()
    for number in range(200):
        plane = next(frames)
        blurred = 100 <= number < 140
        shown = TAMPERING["covered by a bright cloth"](plane) if blurred else plane
        strange_s = tamper.look(noisy(shown, number), number / 2)
        assert (strange_s > 0) == (101 <= number < 140) or number == 100


def test_a_fifth_of_a_stream_damaged_is_a_flood_and_a_packet_now_and_then_is_none() -> None:
    def told(every: int, seconds: float) -> list[bool]:
        flood = Flood()
        return [flood.frame(number / 25, number // every) for number in range(int(25 * seconds))]

    assert not any(told(20, 60.0))
    heavy = told(3, 30.0)
    assert not any(heavy[: int(25 * 0.7 * WINDOW_S)])
    assert all(heavy[int(25 * WINDOW_S) :])
    flood = Flood()
    assert [flood.frame(number / 25, min(number, 500) // 3) for number in range(2000)][-1] is False
    # A start in the middle of a group of pictures is damaged at once, and then well.
    flood = Flood()
    assert not any(flood.frame(number / 25, 40) for number in range(1000))


async def test_a_web_camera_of_which_every_third_picture_is_broken_is_degraded_and_says_so(tmp_path: Path) -> None:
    with web_camera(damaged=3) as camera:
        async with camera_module(tmp_path) as module:
            module.set(dock={"source": camera.url("/mjpeg")})
            await until(lambda: module.state("dock").get("cause") == "decode", "told")
            assert module.state("dock")["state"] == "streaming"
            assert "a fifth of the stream or more is damaged" in module.state("dock")["reason"]
            await until(lambda: any(event.cause == "decode" for event in told(module.listener)), "the event")


@pytest.mark.slow
async def test_a_camera_whose_lens_is_covered_is_tampered_if_it_was_asked_to_look(tmp_path: Path) -> None:
    frames = list(itertools.islice(belt(), 10))
    begun = time.monotonic()

    def picture(number: int) -> bytes:
        shown = frames[number % 10] if time.monotonic() - begun < 45 else np.full(SIZE_WH[::-1], 150, np.uint8)
        return cv2.imencode(".jpg", noisy(shown, number))[1].tobytes()

    with web_camera() as camera:
        camera.picture = picture  # type: ignore[method-assign]
        async with camera_module(tmp_path) as module:
            module.set(dock={"source": camera.url("/mjpeg"), "tamper": True}, blind={"source": camera.url("/mjpeg")})
            await until(lambda: module.state("dock").get("cause") == "tampered", "told", 120)
            assert time.monotonic() - begun > 45
            assert module.state("blind").get("cause") is None
            # A busy machine's camera is also told as slow.
            await until(lambda: [event.cause for event in told(module.listener)].count("tampered") == 1, "the event")


def told(listener: Listener) -> list[CameraDegraded]:
    return [event for event in listener.events if isinstance(event, CameraDegraded)]
