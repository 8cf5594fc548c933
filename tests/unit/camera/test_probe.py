"""The method probe_source: what an address offers, or why it offers nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.camera_module import camera_module, make_video
from support.web_camera import web_camera


async def test_a_probe_says_codec_size_and_rate_and_leaves_no_camera_behind(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=5, fps=10.0)
    async with camera_module(tmp_path) as module:
        status, reply = await module.invoke("probe_source", {"source": str(video)})
        assert status == 200
        assert (reply["ok"], reply["kind"], reply["size"], reply["fps"]) == (True, "file", "64x48", 10.0)
        assert reply["decoder"].endswith("mjpeg")
        assert (await module.invoke("list_cameras"))[1] == {"cameras": {}}
        assert not list((tmp_path / "frames").glob("*.ring"))


async def test_a_probe_says_why_nothing_comes(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "DOOR").write_text("wrong-one")
    (tmp_path / "secrets" / "DOOR.host").write_text("127.0.0.1")
    with web_camera(credentials=("guard", "right-one")) as camera:
        async with camera_module(tmp_path) as module:
            source = camera.url("/mjpeg").replace("//", "//guard:${DOOR}@")
            status, reply = await module.invoke("probe_source", {"source": source})
            assert (status, reply["ok"], reply["cause"]) == (200, False, "unauthorised")
            assert reply["source"] == source
            assert "warning: the password crosses the network" in reply["caution"]
            (tmp_path / "secrets" / "DOOR").write_text("right-one")
            status, reply = await module.invoke("probe_source", {"source": source})
            assert (status, reply["ok"], reply["size"]) == (200, True, "64x48")
            assert "right-one" not in repr(reply)
            status, reply = await module.invoke("probe_source", {"source": "rtsp://127.0.0.1:1/a"})
            assert (status, reply["ok"], reply["cause"]) == (200, False, "refused")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("rtsp://169.254.169.254/x", "169.254.169.254 is never a camera"),
        ("ftp://host/x", "'ftp://' is not known"),
        ("rtsp://u:password@10.0.0.7/x", "holds a password"),
    ],
)
async def test_a_probe_opens_nothing_that_the_device_would_not_open_as_a_camera(
    tmp_path: Path, source: str, text: str
) -> None:
    async with camera_module(tmp_path) as module:
        status, reply = await module.invoke("probe_source", {"source": source})
        assert status == 400
        assert text in repr(reply)
        assert "password@" not in repr(reply)
