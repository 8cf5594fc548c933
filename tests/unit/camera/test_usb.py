"""V4L2 cameras: what a device offers, which of it is taken, and how a source names it. No device is needed."""

from __future__ import annotations

import errno
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.camera_module import camera_module, until
from vigie.sandbox.landlock import landlock_version
from vigie_camera.cause import Cause
from vigie_camera.decode.backend import VideoError, VideoOptions
from vigie_camera.decode.choice import installed_backend, load_backend
from vigie_camera.decode.wire import Task
from vigie_camera.usb.address import DeviceUrlError, device_address, read_device_address, read_device_url
from vigie_camera.usb.modes import Mode, NoSuchModeError, RequestedMode, negotiate
from vigie_camera.usb.v4l2 import devices, offered

# An ordinary USB 2 webcam: raw up to 640x480 at full rate, JPEG above.
WEBCAM = [
    Mode("yuyv422", (640, 480), 30.0),
    Mode("yuyv422", (640, 480), 15.0),
    Mode("yuyv422", (1280, 720), 10.0),
    Mode("yuyv422", (1920, 1080), 5.0),
    Mode("mjpeg", (640, 480), 30.0),
    Mode("mjpeg", (1280, 720), 30.0),
    Mode("mjpeg", (1920, 1080), 30.0),
    Mode("mjpeg", (3840, 2160), 15.0),
]


@pytest.mark.parametrize(
    ("modes", "requested", "expected"),
    [
        (WEBCAM, RequestedMode(), "mjpeg 1920x1080 at 30"),
        (WEBCAM, RequestedMode(size_wh=(640, 480)), "yuyv422 640x480 at 30"),
        (WEBCAM, RequestedMode(size_wh=(640, 480), fps=15), "yuyv422 640x480 at 15"),
        (WEBCAM, RequestedMode(size_wh=(640, 480), fps=12), "yuyv422 640x480 at 15"),
        (WEBCAM, RequestedMode(size_wh=(1280, 720)), "mjpeg 1280x720 at 30"),
        (WEBCAM, RequestedMode(format="yuyv422"), "yuyv422 640x480 at 30"),
        (WEBCAM, RequestedMode(format="yuyv422", size_wh=(1280, 720)), "yuyv422 1280x720 at 10"),
        (WEBCAM, RequestedMode(size_wh=(3840, 2160)), "mjpeg 3840x2160 at 15"),
        (
            [Mode("yuyv422", (1920, 1080), 60.0), Mode("yuyv422", (1280, 720), 60.0)],
            RequestedMode(),
            "yuyv422 1280x720 at 60",
        ),
        ([Mode("h264", (1280, 720), 30.0), Mode("mjpeg", (1280, 720), 30.0)], RequestedMode(), "mjpeg 1280x720 at 30"),
        ([Mode("gray", (640, 512), 9.0)], RequestedMode(), "gray 640x512 at 9"),
        ([Mode("mjpeg", (1280, 720), 29.97)], RequestedMode(fps=29.97), "mjpeg 1280x720 at 29.97"),
    ],
)
def test_a_device_is_asked_for_what_the_bus_carries_and_what_was_asked_for_exactly(
    modes: list[Mode], requested: RequestedMode, expected: str
) -> None:
    assert str(negotiate(modes, requested)) == expected


@pytest.mark.parametrize(
    "requested",
    [
        RequestedMode(size_wh=(800, 600)),
        RequestedMode(fps=60),
        RequestedMode(format="h264"),
        RequestedMode("yuyv422", (1920, 1080), 30.0),
    ],
)
def test_what_a_device_does_not_offer_is_refused_with_what_it_does(requested: RequestedMode) -> None:
    with pytest.raises(NoSuchModeError, match="it offers mjpeg 3840x2160 at 15, mjpeg 1920x1080 at 30, yuyv422 1920"):
        negotiate(WEBCAM, requested)
    with pytest.raises(NoSuchModeError, match="no format that can be decoded"):
        negotiate([], RequestedMode())


def kernel(*, capabilities: int = 0x8420_0001, caps: int = 0x0420_0001, stepwise: bool = False) -> Any:
    """A device as linux/videodev2.h lays it out, written here from the header and not from the code under test."""
    formats = [b"YUYV", b"MJPG", b"XYZ9"]
    sizes = {b"YUYV": [(640, 480)], b"MJPG": [(640, 480), (1280, 720)], b"XYZ9": [(1, 1)]}

    def ask(request: int, argument: bytes) -> bytes:
        direction, size, kind, number = request >> 30, request >> 16 & 0x3FFF, request >> 8 & 0xFF, request & 0xFF
        assert (size, kind) == (len(argument), ord("V"))
        index = int.from_bytes(argument[:4], "little")
        if number == 0:
            assert direction == 2
            text = b"uvcvideo".ljust(16, b"\0") + b"Webcam".ljust(32, b"\0") + b"usb-1".ljust(32, b"\0")
            return text + struct.pack("<III", 0x060100, capabilities, caps) + bytes(12)
        assert direction == 3
        if number == 2 and index < len(formats) and argument[4:8] == b"\1\0\0\0":
            return argument[:12] + bytes(32) + formats[index] + argument[48:]
        code = argument[4:8]
        if number == 74 and stepwise and index == 0:
            return argument[:8] + struct.pack("<I6I", 3, 160, 1280, 16, 120, 800, 8) + bytes(8)
        if number == 74 and not stepwise and index < len(sizes[code]):
            return argument[:8] + struct.pack("<III", 1, *sizes[code][index]) + bytes(16 + 8)
        if number == 75 and not stepwise and index < 2:
            return argument[:16] + struct.pack("<III", 1, 1, (30, 15)[index]) + bytes(16 + 8)
        raise OSError(errno.EINVAL, "no more")

    return ask


def test_what_a_device_offers_is_read_as_the_kernel_lays_it_out() -> None:
    assert [str(mode) for mode in offered(kernel())] == [
        "yuyv422 640x480 at 30", "yuyv422 640x480 at 15", "mjpeg 640x480 at 30", "mjpeg 640x480 at 15",
        "mjpeg 1280x720 at 30", "mjpeg 1280x720 at 15",
    ]  # fmt: skip


def test_a_device_of_any_size_within_bounds_offers_the_usual_ones_and_one_for_metadata_offers_nothing() -> None:
    found = list(offered(kernel(stepwise=True)))
    assert {mode.size_wh for mode in found} == {(320, 240), (640, 480), (800, 600), (1280, 720)}
    assert {mode.fps for mode in found} == {30.0}
    assert list(offered(kernel(caps=0x0080_0000))) == []
    assert len(list(offered(kernel(capabilities=0x0420_0001, caps=0)))) == 6


def test_devices_are_listed_by_a_name_that_lasts_and_those_that_cannot_be_asked_say_why(tmp_path: Path) -> None:
    sys_folder, dev = tmp_path / "sys", tmp_path / "dev"
    for name, card in (
        ("video0", "Webcam: HD\n"),
        ("video1", "Webcam metadata"),
        ("video10", "Grabber"),
        ("video3", ""),
    ):
        (sys_folder / name).mkdir(parents=True)
        (sys_folder / name / "name").write_text(card)
    (dev / "v4l" / "by-id").mkdir(parents=True)
    for name in ("video0", "video1", "video10"):
        (dev / name).touch()
    (dev / "v4l" / "by-id" / "usb-acme-video-index0").symlink_to("../../video0")

    def look(path: Path) -> list[Mode]:
        if path.name == "video10":
            raise PermissionError(errno.EACCES, "Permission denied")
        return WEBCAM[:1] if path.name == "video0" else []

    webcam, grabber = devices(sys_folder, dev, look)
    assert webcam.source == f"v4l2://{dev}/v4l/by-id/usb-acme-video-index0"
    assert (webcam.name, webcam.modes) == ("Webcam: HD", ("yuyv422 640x480 at 30",))
    assert (grabber.source, grabber.reason) == (f"v4l2://{dev}/video10", "Permission denied")
    assert devices(tmp_path / "none", dev, look) == []


@pytest.mark.parametrize(
    ("source", "path", "requested"),
    [
        ("v4l2:///dev/video0", "/dev/video0", RequestedMode()),
        ("/dev/video2", "/dev/video2", RequestedMode()),
        (
            "v4l2:///dev/video0?size=1280x720&fps=30&format=mjpeg",
            "/dev/video0",
            RequestedMode("mjpeg", (1280, 720), 30.0),
        ),
        ("v4l2:///dev/v4l/by-id/usb-a%20b-index0", "/dev/v4l/by-id/usb-a b-index0", RequestedMode()),
    ],
)
def test_a_source_names_a_device_and_what_is_wished(source: str, path: str, requested: RequestedMode) -> None:
    assert read_device_url(source) == (path, requested)
    address = device_address(path, Mode("mjpeg", (1280, 720), 29.97))
    assert read_device_address(address) == (
        path,
        {"input_format": "mjpeg", "video_size": "1280x720", "framerate": "29.97"},
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("v4l2://dev/video0", "three slashes"),
        ("v4l2:///etc/passwd", "is not a device"),
        ("v4l2:///dev/../etc/passwd", "is not a device"),
        ("v4l2:///dev/video0?size=big", "size: expected WIDTHxHEIGHT"),
        ("v4l2:///dev/video0?fps=0", "fps: expected"),
        ("v4l2:///dev/video0?fps=nan", "fps: expected"),
        ("v4l2:///dev/video0?format=divx", "format: expected one of"),
        ("v4l2:///dev/video0?rate=3", "rate: unknown"),
        ("v4l2:///dev/video0?fps=3&fps=4", "each once"),
    ],
)
def test_a_source_that_says_something_else_is_refused(source: str, text: str) -> None:
    with pytest.raises(DeviceUrlError, match=text):
        read_device_url(source)


async def test_a_device_that_is_not_there_is_tried_again_and_others_can_be_switched_off_by_the_device_s_owner(
    tmp_path: Path,
) -> None:
    async with camera_module(tmp_path) as module:
        module.set(cam={"source": "v4l2:///dev/video99?size=640x480"})
        await until(lambda: module.state("cam").get("state") == "failed", "failed")
        assert "/dev/video99: No such file or directory; check that it is plugged in" in module.state("cam")["reason"]
        assert module.state("cam")["kind"] == "v4l2"
        status, listed = await module.invoke("list_devices")
        assert (status, len(listed["devices"])) == (200, len(devices()))
        status, reply = await module.invoke("probe_source", {"source": "/dev/video99"})
        assert (status, reply["ok"], reply["kind"]) == (200, False, "v4l2")
    async with camera_module(tmp_path, VIGIE_CAMERA_SCHEMES="rtsp") as module:
        version = module.set(cam={"source": "/dev/video0"})
        await until(lambda: module.acknowledgement().get("av") == version, "acknowledged")
        assert "this device opens no 'v4l2' sources" in module.acknowledgement()["ad"]


def test_what_is_no_camera_is_not_opened_as_one() -> None:
    backend = load_backend(installed_backend())
    address = device_address("/dev/null", WEBCAM[0])
    with pytest.raises(VideoError) as refused:
        backend.open(address, VideoOptions(live=True))
    assert refused.value.cause is Cause.NO_VIDEO


CONFINED = """
import errno, json, os, sys
import msgspec
from vigie_camera.decode.sandbox import confine
from vigie_camera.decode.wire import Task
confine(msgspec.json.decode(sys.argv[1], type=Task))
def attempt(path, flags):
    try:
        os.close(os.open(path, flags))
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
print(json.dumps([attempt("/dev/null", os.O_RDWR), attempt(sys.argv[2], os.O_RDWR), attempt("/dev/null", os.O_WRONLY)]))
"""


@pytest.mark.skipif(landlock_version() == 0, reason="this kernel has no Landlock")
def test_a_decoder_of_a_device_may_command_that_one_and_write_to_no_other_file(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()

    def tried(task: Task) -> list[str]:
        given = msgspec.json.encode(task).decode()
        done = subprocess.run(
            [sys.executable, "-c", CONFINED, given, str(other)], capture_output=True, text=True, check=True, timeout=60
        )
        return msgspec.json.decode(done.stdout)

    device = device_address("/dev/null", WEBCAM[0])
    assert tried(Task("cam", "device", device, VideoOptions(live=True), "live")) == ["done", "EACCES", "EACCES"]
    assert tried(Task("cam", "video", "/x.mp4", VideoOptions(live=False), "max")) == ["EACCES", "EACCES", "EACCES"]


async def test_a_camera_that_is_restarted_begins_anew_with_another_decoder(tmp_path: Path) -> None:
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": "synthetic://conveyor?size=160x120&fps=30"})
        await until(lambda: module.state("belt").get("state") == "streaming", "streaming")
        before = module.cameras.find("belt")
        pid = before.decoder_pid
        assert await module.invoke("restart_camera", {"camera": "belt"}) == (
            200,
            {"camera": "belt", "state": "streaming"},
        )
        await until(lambda: module.cameras.find("belt").decoder_pid not in (None, pid), "another decoder")
        count = len(module.consumer.items)
        await until(lambda: len(module.consumer.items) > count + 5, "frames again")
        assert module.cameras.find("belt") is not before
        status, _ = await module.invoke("restart_camera", {"camera": "none"})
        assert status == 404
