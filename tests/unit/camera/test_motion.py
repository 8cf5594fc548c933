"""The motion gate on scenes that are made: what passes, what does not, and what the module counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.camera_module import camera_module, until
from support.motion_bench import FPS, frames
from vigie_camera.config import MotionGate, PrivacyMask
from vigie_camera.decode.motion import MotionDetector

SIZE_WH = (320, 180)


def passes(
    scene: str, seconds: float, settings: MotionGate, masks: tuple[PrivacyMask, ...] = (), channel: int = 1
) -> list[int]:
    """How many frames pass in each second; 15 would be all."""
    motion = MotionDetector(settings, masks)
    passed = [
        motion.passes(frame[:, :, channel], number / FPS)
        for number, frame in enumerate(frames(scene, SIZE_WH, seconds))
    ]
    return [sum(passed[at : at + FPS]) for at in range(0, len(passed), FPS)]


def test_a_still_scene_passes_only_its_forced_frames() -> None:
    by_second = passes("still", 20, MotionGate(every_s=4, hold_s=1))
    assert by_second[0] == FPS
    assert sum(by_second[6:]) in (3, 4)
    assert max(by_second[6:]) == 1


def test_everything_that_crosses_passes_and_what_follows_is_held() -> None:
    by_second = passes("crossing", 17, MotionGate(every_s=60, hold_s=1))
    assert sum(by_second[5:8]) == 0
    assert by_second[8:12] == [FPS] * 4
    assert by_second[12] > 0
    assert sum(by_second[15:]) == 0


def test_a_lamp_is_calm_again_once_it_stays_on() -> None:
    by_second = passes("lamp", 20, MotionGate(every_s=60, hold_s=1))
    assert by_second[8] == FPS
    assert sum(by_second[16:]) == 0


def test_leaves_in_the_wind_become_background() -> None:
    assert sum(passes("leaves", 16, MotionGate(every_s=60, hold_s=1))[9:]) == 0


def test_what_is_masked_moves_unseen() -> None:
    middle = PrivacyMask(points=((0, 0.4), (1, 0.4), (1, 0.7), (0, 0.7)))
    assert sum(passes("crossing", 13, MotionGate(every_s=60, hold_s=1), (middle,))[6:]) == 0


def test_a_change_of_the_light_as_a_whole_is_no_motion() -> None:
    motion = MotionDetector(MotionGate(every_s=60, hold_s=0))
    random = np.random.default_rng(2)
    scene = random.integers(40, 200, (18, 32)).repeat(10, 0).repeat(10, 1).astype(np.float32)
    passed = []
    for number in range(10 * FPS):
        light = 25 if number >= 6 * FPS else 0
        noisy = scene + light + random.normal(0, 1.5, scene.shape)
        passed.append(motion.passes(np.clip(noisy, 0, 255).astype(np.uint8), number / FPS))
    assert sum(passed[5 * FPS :]) == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 500), (241, 321), (120, 160, 3)])
def test_every_size_is_taken_and_another_size_begins_anew(shape: tuple[int, ...]) -> None:
    motion = MotionDetector(MotionGate(every_s=60, hold_s=0))
    for number in range(4 * FPS):
        last = motion.passes(np.full(shape, 90, np.uint8), number / FPS)
    assert last is False
    assert motion.passes(np.full((50, 60), 90, np.uint8), 5.0) is True


async def test_the_module_keeps_still_frames_counts_them_and_stays_well(tmp_path: Path) -> None:
    still = tmp_path / "pictures"
    still.mkdir()
    import cv2

    for number in range(60):
        picture = np.full((48, 64, 3), 60, np.uint8)
        picture[10:30, :20] = 200 if number in (40, 41) else 60
        cv2.imwrite(str(still / f"{number}.png"), picture)
    async with camera_module(tmp_path) as module:
        motion = {"every_s": 100.0, "hold_s": 0.0}
        module.set(belt={"source": str(still), "interval_s": 0.2, "motion": motion})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        passed = 60 - module.metric('vigie_frames_gated_total{camera="belt"}')
        await until(lambda: len(module.consumer.items) == passed, "the frames that passed")
        assert module.metric('vigie_frames_captured_total{camera="belt"}') == 60
        # The gate learns for two seconds; the numbers tell which frames stayed with the camera.
        numbers = {item.seq for item in module.consumer.items}
        assert set(range(10)) | {40, 41} <= numbers
        assert not numbers & set(range(15, 40))
