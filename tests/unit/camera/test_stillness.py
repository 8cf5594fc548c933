"""A frozen sensor behind an encoder is told from a still scene, by pictures that encoders really made."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vigie.synthetic import open_scene
from vigie_camera.decode.backend import VideoOptions
from vigie_camera.decode.choice import load_backend
from vigie_camera.decode.stillness import Stillness

FPS, SECONDS = 10, 16
SIZE_WH = (320, 240)
LIMIT_S = 5.0
ENCODERS = {
    "h264 at constant quality": "-c:v libx264 -preset veryfast -crf 23 -g 20",
    "h264 at low quality": "-c:v libx264 -preset veryfast -tune zerolatency -crf 34 -g 30",
    "h264 at constant rate": "-c:v libx264 -preset veryfast -b:v 600k -maxrate 600k -bufsize 600k -g 30",
    "hevc": "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=20 -crf 28",
    "mpeg4": "-c:v mpeg4 -b:v 500k -g 20",
    "mjpeg": "-c:v mjpeg -q:v 6 -pix_fmt yuvj420p",
}

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def scene() -> NDArray[np.uint8]:
    return open_scene(f"synthetic://conveyor?seed=3&size={SIZE_WH[0]}x{SIZE_WH[1]}").render(20)


@functools.cache
def raw_video(noise: float) -> bytes:
    """One picture again and again; ``noise``: of a sensor, sigma in levels at medium grey, more in the light."""
    still = scene().astype(np.float32)
    sigma = noise * np.sqrt(0.3 + still.mean(2, keepdims=True) / 180)
    random = np.random.default_rng(5)
    frames = bytearray()
    for _ in range(FPS * SECONDS):
        shot = random.standard_normal(still.shape[:2], np.float32)[..., None] * sigma
        frames += np.clip(still + shot + 0.5, 0, 255).astype(np.uint8).tobytes()
    return bytes(frames)


def encoded(path: Path, words: str, noise: float) -> Path:
    given = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{SIZE_WH[0]}x{SIZE_WH[1]}", "-r", str(FPS), "-i", "-"]
    made = words.split() if "-pix_fmt" in words else [*words.split(), "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *given, *made, path], input=raw_video(noise), check=True)
    return path


def longest_still_s(path: Path) -> float:
    video, stillness, longest, number = (
        load_backend("pyav").open(str(path), VideoOptions(live=False)),
        Stillness(),
        0.0,
        0,
    )
    try:
        while (frame := video.next()) is not None:
            longest = max(longest, stillness.look(frame.arrays[0], number / FPS, frame.keys))
            number += 1
    finally:
        video.close()
    assert number == FPS * SECONDS
    return longest


@needs_ffmpeg
@pytest.mark.parametrize("name", ENCODERS)
def test_a_frozen_picture_is_found_behind_its_encoder(tmp_path: Path, name: str) -> None:
    assert longest_still_s(encoded(tmp_path / "still.mkv", ENCODERS[name], 0)) >= LIMIT_S


@needs_ffmpeg
@pytest.mark.parametrize("name", ENCODERS)
def test_a_still_scene_before_a_living_sensor_is_not_frozen(tmp_path: Path, name: str) -> None:
    assert longest_still_s(encoded(tmp_path / "noisy.mkv", ENCODERS[name], 0.7)) < LIMIT_S


def looked(pictures: list[NDArray[np.uint8]], keys: int | None = 0) -> float:
    """Ten looks a second; ``keys``: one key frame a second after so many, None: not told."""
    stillness, still_s = Stillness(), 0.0
    for number, picture in enumerate(pictures):
        still_s = stillness.look(picture, number / 10, None if keys is None else keys + number // 10)
    return still_s


def test_something_small_that_moves_is_life() -> None:
    pictures = []
    for number in range(100):
        picture = np.full((240, 320), 90, np.uint8)
        picture[10:16, 300 + 3 * (number // 10 % 4) :][:, :4] = 200
        pictures.append(picture)
    assert looked(pictures) < LIMIT_S


def test_equal_pictures_count_as_frozen_only_once_they_have_stood_a_key_frame() -> None:
    still = [scene()[:, :, 1].copy()] * 200
    assert looked(still) >= 19
    without_keys = Stillness()
    assert max(without_keys.look(still[0], number / 10, 1) for number in range(250)) == 0
    assert without_keys.look(still[0], 31.0, 1) >= 30


def test_another_size_begins_anew() -> None:
    stillness = Stillness()
    for number in range(100):
        stillness.look(np.full((240, 320), 90, np.uint8), number / 10, number)
    assert stillness.look(np.full((120, 160), 90, np.uint8), 11.0, 111) == 0


def test_a_decoder_that_tells_no_key_frames_is_judged_later() -> None:
    still = [np.full((120, 160, 3), 90, np.uint8)] * 400
    assert looked(still[:250], None) == 0
    assert looked(still, None) >= 30
