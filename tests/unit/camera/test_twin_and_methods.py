"""What the camera module's twin refuses, and what its methods answer."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from support.camera_module import camera_module, make_video, until

SCENE = {"source": "synthetic://conveyor?size=160x120&fps=30"}


@pytest.mark.parametrize(
    ("camera", "text"),
    [
        ({"source": "video.mp4"}, "$.cameras.dock.source: source 'video.mp4': is not an absolute path"),
        ({"source": "ftp://host/x"}, "'ftp://' is not known; use an absolute path of a video file or a folder"),
        ({"source": "rtmp://host/live"}, "RTMP cannot be opened by this version"),
        ({"source": "http:///mjpg"}, "names no host; expected rtsp://host[:port]/path"),
        ({"source": "v4l2://dev/video0"}, "names a host; expected v4l2:///dev/video0, with three slashes"),
        ({"source": "rtsp:///stream"}, "names no host; expected rtsp://host[:port]/path"),
        ({"source": "synthetic://conveyor?sed=1"}, "$.cameras.dock.source: 'synthetic://conveyor?sed=1': sed: unknown"),
        ({"source": "/video.mp4", "pase": "max"}, "unknown property"),
        ({"source": "/video.mp4", "slots": 1}, "$.cameras"),
        ({"pace": "max"}, "required property is missing"),
    ],
)
async def test_what_cannot_work_is_refused_with_its_path_and_the_cameras_run_on(
    tmp_path: Path, camera: dict[str, Any], text: str
) -> None:
    async with camera_module(tmp_path) as module:
        module.set(belt=SCENE)
        await until(lambda: len(module.consumer.items) > 3, "frames")
        version = module.set(belt=SCENE, dock=camera)
        await until(lambda: module.acknowledgement().get("av") == version, "acknowledged")
        assert module.acknowledgement()["ac"] == 400
        assert text in module.acknowledgement()["ad"]
        assert list(module.acknowledgement()["value"]) == ["belt"]
        before = len(module.consumer.items)
        await until(lambda: len(module.consumer.items) > before + 3, "still flowing")


@pytest.mark.parametrize("name", ["Dock", "dock 1", "-dock", "", "dock.1"])
async def test_a_camera_has_a_plain_name(tmp_path: Path, name: str) -> None:
    async with camera_module(tmp_path) as module:
        version = module.set(**{name: SCENE})
        await until(lambda: module.acknowledgement().get("av") == version, "acknowledged")
        assert module.acknowledgement()["ac"] == 400


async def test_rings_that_do_not_fit_are_refused_with_the_size_needed(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("vigie.frames.space.free_bytes", lambda folder: 1_000_000)
    async with camera_module(tmp_path) as module:
        version = module.set(belt={"source": "synthetic://conveyor?size=640x480", "slots": 8})
        await until(lambda: module.acknowledgement().get("av") == version, "acknowledged")
        assert module.acknowledgement()["ac"] == 400
        assert "$.cameras: " in module.acknowledgement()["ad"]
        assert "enlarge the tmpfs" in module.acknowledgement()["ad"]


async def test_a_snapshot_is_a_small_jpeg_of_the_picture(tmp_path: Path) -> None:
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": "synthetic://conveyor?size=640x480&fps=30"})
        await until(lambda: module.state("belt").get("state") == "streaming", "streaming")
        status, reply = await module.invoke("snapshot", {"camera": "belt", "width": 320})
        assert status == 200
        assert reply["frame_hw"] == [480, 640] or tuple(reply["frame_hw"]) == (480, 640)
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(reply["jpeg"]), np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (240, 320, 3)
        assert picture.std() > 5


async def test_methods_refuse_what_they_cannot_do(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=3)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video)})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        assert await module.invoke("snapshot", {"camera": "nope"}) == (
            404,
            {"error": "$.camera: no camera 'nope'; there are: belt"},
        )
        status, reply = await module.invoke("snapshot", {"camera": "belt"})
        assert (status, reply["error"]) == (409, "camera 'belt' is finished: all frames were captured")
        status, reply = await module.invoke("snapshot", {"camera": "belt", "width": 5})
        assert (status, reply["path"]) == (400, "$.width")


async def test_reconnect_opens_the_source_again_and_numbers_go_on(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=6)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video)})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        assert await module.invoke("reconnect", {"camera": "belt"}) == (200, {"camera": "belt", "state": "finished"})
        await until(lambda: len(module.consumer.items) == 12, "frames again")
        assert [item.seq for item in module.consumer.items] == list(range(12))


async def test_list_cameras_names_each_source_and_state(tmp_path: Path) -> None:
    async with camera_module(tmp_path) as module:
        module.set(belt=SCENE)
        await until(lambda: module.state("belt").get("state") == "streaming", "streaming")
        status, reply = await module.invoke("list_cameras")
        assert status == 200
        belt = reply["cameras"]["belt"]
        assert (belt["kind"], belt["source"], belt["state"], belt["size"]) == (
            "synthetic",
            SCENE["source"],
            "streaming",
            "160x120",
        )
