"""Pictures wider than the twin wants are scaled down as they are decoded, their shape and colours kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from support.camera_module import camera_module, until
from support.ffmpeg_clips import FILE, FRAMES, clip
from vigie.vision.convert import to_bgr
from vigie.vision.planes import Planes
from vigie_camera.decode.choice import load_backend
from vigie_camera.decode.pyav_frame import shrunk_hw

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


@pytest.mark.parametrize(
    ("size_hw", "width_max", "small"),
    [
        ((1080, 1920), 1280, (720, 1280)),
        ((1080, 1920), 1920, None),
        ((1080, 1920), 0, None),
        ((3, 1000), 100, (2, 100)),
        ((1920, 1080), 641, (1138, 640)),
    ],
)
def test_sides_are_even_and_the_shape_is_kept(size_hw: tuple[int, int], width_max: int, small: object) -> None:
    assert shrunk_hw(size_hw, width_max) == small


@needs_ffmpeg
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "gray"])
def test_a_scaled_picture_is_the_picture(tmp_path: Path, pix_fmt: str) -> None:
    path = clip(tmp_path / "wide.mkv", "-c:v", "ffv1", "-pix_fmt", pix_fmt, size="640x360")
    pictures = []
    for width_max in (0, 160):
        video = load_backend("pyav").open(str(path), msgspec.structs.replace(FILE, width_max=width_max))
        frame = video.next()
        assert frame is not None
        pictures.append(to_bgr(Planes(frame.format, tuple(map(np.ascontiguousarray, frame.arrays)))))
        video.close()
    full, small = pictures
    assert small.shape == (90, 160, 3)
    blocks = full.reshape(90, 4, 160, 4, 3).mean(axis=(1, 3))
    # Edges of colour are where halved chroma and the mean of pixels differ; another matrix would be 10 and more.
    assert np.abs(blocks - small).mean() < 6


@needs_ffmpeg
async def test_frames_of_a_capped_camera_have_the_small_size(tmp_path: Path) -> None:
    video = clip(tmp_path / "wide.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p", size="640x360")
    async with camera_module(tmp_path) as module:
        module.set(dock={"source": str(video), "width_max": 320})
        await until(lambda: len(module.consumer.items) == FRAMES, "frames")
        assert {item.frame_hw for item in module.consumer.items} == {(180, 320)}
        await until(lambda: module.state("dock").get("size") == "320x180", "reported")
        assert {item.weight for item in module.consumer.items} == {1.0}


async def test_a_scene_is_not_scaled_but_asked_for_in_its_size(tmp_path: Path) -> None:
    async with camera_module(tmp_path) as module:
        version = module.set(dock={"source": "synthetic://conveyor", "width_max": 320, "weight": 2})
        told = await until(
            lambda: found if (found := module.acknowledgement()).get("av") == version else None, "acknowledged"
        )
        assert told["ac"] == 400
        assert "$.cameras.dock.width_max: a scene's size is in its address" in told["ad"]
