"""The camera module against a real RTSP server that is killed, hangs, asks for a password, or shows a still picture."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from support.camera_module import CameraModule, camera_module, until
from support.data import real_input
from support.rtsp import rtsp_server
from vigie.contracts.events import CameraDegraded, CameraDown
from vigie_camera.patience import LEAST_S

SCENE = {"source": "synthetic://conveyor?size=160x120&fps=15"}
# A password with every character that means something in a URL.
PASSWORD = "p@ss:w/rd?#%41 ü"


def told(module: CameraModule, camera: str) -> list[tuple[str, str]]:
    events = [event for event in module.listener.events if event.camera == camera]
    return [(str(type(event).__struct_config__.tag), event.phase) for event in events]


def causes(module: CameraModule) -> list[str | None]:
    return [event.cause for event in module.listener.events if isinstance(event, CameraDown | CameraDegraded)]


async def test_a_camera_that_is_killed_and_comes_back_is_captured_again(tmp_path: Path) -> None:
    video = real_input("one-by-one-person-detection.mp4")
    with rtsp_server(f"file:{video}") as server:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": f"rtsp://{server.address}"}, belt=SCENE)
            await until(lambda: len(module.consumer.of("door")) > 10, "frames over RTSP")
            assert module.state("door")["pace"] == "live"
            assert module.consumer.last["door"].shape == (432, 768, 3)

            server.kill()
            killed = time.monotonic()
            await until(lambda: module.state("door").get("state") == "failed", "noticed")
            print(f"noticed after {time.monotonic() - killed:.2f} s")
            assert "rtsp://127.0.0.1" in module.state("door")["reason"]
            await until(lambda: told(module, "door")[1:2] == [("camera-down", "new")], "the event")
            before, others = len(module.consumer.of("door")), len(module.consumer.of("belt"))
            await until(lambda: len(module.consumer.of("belt")) > others + 10, "the other camera goes on")

            server.start()
            back = time.monotonic()
            await until(lambda: len(module.consumer.of("door")) > before + 10, "frames again", 60)
            print(f"frames again {time.monotonic() - back:.2f} s after the server was back")
            assert module.state("door")["state"] == "streaming"
            numbers = [item.seq for item in module.consumer.of("door")]
            assert numbers == sorted(set(numbers))
            assert module.metric('vigie_camera_openings_total{camera="belt"}') == 1
            await until(
                lambda: told(module, "door")[-1] == ("camera-up", "end") and len(told(module, "door")) > 2, "up"
            )
            assert told(module, "belt") == [("camera-up", "end")]


async def test_a_camera_that_hangs_with_its_connection_open_is_noticed_and_taken_up_again(tmp_path: Path) -> None:
    video = real_input("one-by-one-person-detection.mp4")
    with rtsp_server(f"file:{video}") as server:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": f"rtsp://{server.address}"})
            await until(lambda: len(module.consumer.items) > 10, "frames")
            server.hang()
            hung = time.monotonic()
            await until(lambda: module.state("door").get("state") == "failed", "noticed")
            print(f"noticed after {time.monotonic() - hung:.2f} s")
            # What the server sent before it hung is captured in no time, so this counts from the last frame.
            silent_s = time.monotonic() - module.consumer.items[-1].captured_ns / 1e9
            assert silent_s <= LEAST_S + 3.0  # the bar, and patience with a busy machine
            before = len(module.consumer.items)
            server.wake()
            await until(lambda: len(module.consumer.items) > before + 10, "frames again", 60)


async def test_the_password_is_used_and_never_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "DOOR").write_text("wrong-one\n", encoding="utf-8")
    (folder / "DOOR.host").write_text("127.0.0.1\n", encoding="utf-8")
    with rtsp_server("pattern:ball", f"guard:{PASSWORD}") as server:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": f"rtsp://guard:${{DOOR}}@{server.address}"})
            await until(lambda: module.state("door").get("state") == "failed", "refused by the camera")
            assert "${DOOR}" in module.state("door")["reason"]
            assert module.state("door")["cause"] == "unauthorised"
            await until(lambda: causes(module) == ["unauthorised"], "the event")
            (folder / "DOOR").write_text(PASSWORD + "\n", encoding="utf-8")
            await module.invoke("reconnect", {"camera": "door"})
            await until(lambda: len(module.consumer.items) > 5, "frames with the right password")
            await until(lambda: module.state("door").get("state") == "streaming", "streaming")
            shown = repr(module.hub.reported("camera")) + repr(await module.invoke("list_cameras"))
            shown += module.service.metrics.exposition().decode() + "".join(
                path.read_text(errors="replace") for path in (tmp_path / "state").rglob("*") if path.is_file()
            )
    printed = capfd.readouterr()
    shown += printed.out + printed.err
    assert "${DOOR}" in shown
    for secret in ("wrong-one", PASSWORD, "p%40ss", "w/rd"):
        assert secret not in shown


async def test_a_still_picture_is_reported_as_frozen(tmp_path: Path) -> None:
    with rtsp_server("pattern:blue") as still, rtsp_server("pattern:ball") as moving:
        async with camera_module(tmp_path) as module:
            module.set(
                still={"source": f"rtsp://{still.address}"},
                moving={"source": f"rtsp://{moving.address}"},
            )
            await until(lambda: module.state("still").get("frozen"), "frozen")
            assert module.state("still")["state"] == "streaming"
            assert module.metric('vigie_camera_frozen{camera="still"}') == 1
            assert module.state("moving")["frozen"] is False
            await until(lambda: ("camera-degraded", "new") in told(module, "still"), "the event")
            assert causes(module) == ["frozen"]


async def test_a_black_picture_is_told_while_frames_arrive(tmp_path: Path) -> None:
    with rtsp_server("pattern:black") as server:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": f"rtsp://{server.address}"})
            await until(lambda: module.state("door").get("cause") == "black", "told")
            assert module.state("door")["state"] == "streaming"
            await until(lambda: causes(module) == ["black"], "the event")


async def test_a_clip_of_a_camera_holds_what_it_sent_before_and_after(tmp_path: Path) -> None:
    video = real_input("one-by-one-person-detection.mp4")
    with rtsp_server(f"file:{video}") as server:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": f"rtsp://{server.address}", "clips": {"seconds": 10}})
            await until(lambda: len(module.consumer.items) > 60, "some seconds")
            status, reply = await module.invoke("record_clip", {"camera": "door", "before_s": 2, "after_s": 1})
            assert status == 200, reply
    command = ["ffmpeg", "-v", "error", "-i", reply["path"], "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    pictures = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    assert len(pictures) >= 20
    assert reply["clip"]["seconds"] >= 2.9
    assert reply["clip"]["frame_hw"] == [432, 768] or tuple(reply["clip"]["frame_hw"]) == (432, 768)


async def test_a_camera_over_udp_is_captured(tmp_path: Path) -> None:
    with rtsp_server("pattern:ball") as server:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": f"rtsp://{server.address}", "rtsp_transport": "udp"})
            await until(lambda: len(module.consumer.items) > 10, "frames over UDP")
