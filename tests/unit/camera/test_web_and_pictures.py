"""Cameras over HTTP and pictures in folders: what they give, what their faults are called, where they may lead."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.camera_module import camera_module, until
from support.web_camera import jpeg, web_camera
from vigie_camera.decode.choice import installed_backend
from vigie_camera.decode.multipart import MultipartError, MultipartReader, boundary_of
from vigie_edgehub.shell.certificates import Certificates

PASSWORD = "p@ss:w/rd#%41"


@pytest.mark.parametrize(
    "settings", [{}, {"lengths": False}, {"boundary": "--frame"}], ids=["lengths", "no lengths", "dashes in the name"]
)
async def test_an_mjpeg_stream_is_captured_picture_by_picture(tmp_path: Path, settings: dict[str, object]) -> None:
    with web_camera(**settings) as camera:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": camera.url("/mjpeg")})
            await until(lambda: len(module.consumer.items) > 10, "frames")
            await until(lambda: module.state("door").get("state") == "streaming", "reported")
            state = module.state("door")
            assert (state["kind"], state["state"], state["size"], state["pace"]) == (
                "web",
                "streaming",
                "64x48",
                "live",
            )
            levels = {(4 * number + 10) % 250 for number in range(60)}
            assert all(min(abs(mean - level) for level in levels) <= 2 for mean in module.consumer.means)


async def test_half_a_picture_is_counted_and_never_shown(tmp_path: Path) -> None:
    with web_camera(damaged=3) as camera:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": camera.url("/mjpeg")})
            await until(lambda: len(module.consumer.items) > 20, "frames")
            whole = {(4 * number + 10) % 250 for number in range(60) if number % 3 != 2}
            assert all(min(abs(mean - level) for level in whole) <= 2 for mean in module.consumer.means)
            await until(lambda: module.metric('vigie_frames_damaged_total{camera="door"}') >= 6, "counted")


async def test_an_mjpeg_stream_that_ends_is_lost_and_opened_again(tmp_path: Path) -> None:
    with web_camera(ends_after=5) as camera:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": camera.url("/mjpeg")})
            await until(
                lambda: module.metric('vigie_camera_failures_total{camera="door",cause="stalled"}') >= 2, "lost"
            )
            assert module.metric('vigie_camera_openings_total{camera="door"}') >= 2


async def test_a_snapshot_address_is_asked_at_its_interval(tmp_path: Path) -> None:
    with web_camera() as camera:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": camera.url("/snapshot"), "interval_s": 0.2})
            await until(lambda: len(module.consumer.items) >= 6, "frames")
            stamps = [item.captured_ns / 1e9 for item in module.consumer.items]
            # Never sooner than asked; a busy machine may be later.
            assert (stamps[-1] - stamps[0]) / (len(stamps) - 1) > 0.15


@pytest.mark.parametrize("digest", [True, False], ids=["digest", "basic"])
async def test_the_password_of_a_web_camera_is_used_and_a_wrong_one_is_told(tmp_path: Path, digest: bool) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "DOOR").write_text("wrong-one")
    (folder / "DOOR.host").write_text("127.0.0.1")
    with web_camera(credentials=("guard", PASSWORD), digest=digest) as camera:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": camera.url("/mjpeg").replace("//", "//guard:${DOOR}@")})
            await until(lambda: module.state("door").get("cause") == "unauthorised", "refused")
            (folder / "DOOR").write_text(PASSWORD)
            await module.invoke("reconnect", {"camera": "door"})
            await until(lambda: len(module.consumer.items) > 3, "frames")
            assert PASSWORD not in repr(module.hub.reported("camera")) + repr(await module.invoke("list_cameras"))


@pytest.mark.parametrize(
    ("path", "cause", "text"),
    [
        ("/nothing", "not_found", "does not know this path"),
        ("/page", "no_video", "sends text/html, expected multipart"),
    ],
)
async def test_what_is_not_a_camera_says_so(tmp_path: Path, path: str, cause: str, text: str) -> None:
    with web_camera() as camera:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": camera.url(path)})
            await until(lambda: module.state("door").get("cause") == cause, "told")
            assert text in module.state("door")["reason"]


async def test_a_redirect_is_followed_within_the_policy_without_the_password(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "DOOR").write_text(PASSWORD)
    (tmp_path / "secrets" / "DOOR.host").write_text("127.0.0.1")
    with web_camera() as target, web_camera(redirect=target.url("/mjpeg")) as camera:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": camera.url("/redirect").replace("//", "//guard:${DOOR}@")})
            await until(lambda: len(module.consumer.items) > 3, "frames")
            assert target.asked == [("/mjpeg", None)]


@pytest.mark.parametrize(
    ("to", "text"),
    [
        ("http://169.254.169.254/metadata", "169.254.169.254 is never a camera"),
        ("http://192.0.2.7/mjpeg", "192.0.2.7 is not in this device's camera networks"),
        ("file:///etc/passwd", "not http:// or https://"),
    ],
)
async def test_a_redirect_leads_nowhere_that_the_device_does_not_allow(tmp_path: Path, to: str, text: str) -> None:
    with web_camera(redirect=to) as camera:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": camera.url("/redirect")})
            await until(lambda: module.state("door").get("state") == "failed", "refused")
            assert text in module.state("door")["reason"]


def make_hls(folder: Path) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10", "-frames:v", "60", "-c:v", "libx264", "-g", "10"]
    hls = ["-hls_time", "1", "-hls_list_size", "0", folder / "live.m3u8"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-pix_fmt", "yuv420p", *hls], check=True)


@pytest.mark.skipif(installed_backend() != "pyav", reason="OpenCV opens no HLS within the policy")
async def test_hls_is_captured(tmp_path: Path) -> None:
    make_hls(tmp_path)
    with web_camera(folder=tmp_path) as camera:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": camera.url("/live.m3u8")})
            await until(lambda: len(module.consumer.items) > 5, "frames")
            await until(lambda: module.state("door").get("size") == "160x120", "reported")
            assert any(path.endswith(".ts") for path, _ in camera.asked)


@pytest.mark.skipif(installed_backend() != "pyav", reason="OpenCV opens no HLS within the policy")
async def test_segments_of_hls_come_from_nowhere_that_the_device_does_not_allow(tmp_path: Path) -> None:
    make_hls(tmp_path)
    playlist = tmp_path / "live.m3u8"
    playlist.write_text(playlist.read_text().replace("live", "http://192.0.2.7/live"))
    with web_camera(folder=tmp_path) as camera:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": camera.url("/live.m3u8")})
            await until(lambda: module.state("door").get("state") == "failed", "refused")
            assert "192.0.2.7 is not in this device's camera networks" in module.state("door")["reason"]


@pytest.mark.parametrize("pattern", ["", "/*.png"], ids=["folder", "pattern"])
async def test_pictures_are_captured_by_name_and_what_is_not_one_is_counted(tmp_path: Path, pattern: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in (1, 2, 3, 10, 20):
        cv2.imwrite(str(folder / f"part {number}.png"), np.full((48, 64, 3), 5 * number, np.uint8))
    (folder / "part 4.png").write_bytes((folder / "part 3.png").read_bytes()[:60])
    (folder / "notes.txt").write_text("no picture")
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": f"{folder}{pattern}", "interval_s": 2.0})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        await until(lambda: len(module.consumer.items) == 5, "pictures")
        assert np.allclose(module.consumer.means, [5, 10, 15, 50, 100], atol=1)
        assert [item.media_s for item in module.consumer.items] == [0.0, 2.0, 4.0, 8.0, 10.0]
        assert module.state("belt")["reason"].startswith("5 frames captured; 1 damaged")


async def test_a_folder_without_pictures_is_answered_as_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "1.jpg").write_text("no picture")
    sources = {name: {"source": str(tmp_path / name)} for name in ("empty", "broken", "absent")}
    async with camera_module(tmp_path) as module:
        module.set(**sources, pattern={"source": str(tmp_path / "absent*.jpg")})
        await until(lambda: all(module.state(name).get("reason") for name in (*sources, "pattern")), "told")
        reasons = {module.state(name)["reason"].partition(": ")[2] for name in (*sources, "pattern")}
        assert len(reasons) == 1
        assert "cannot be opened as a video" in reasons.pop()


async def test_jpegs_of_several_sizes_and_turned_ones_are_shown_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(jpeg(5))
    (folder / "2.jpg").write_bytes(jpeg(6, (96, 64)))
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(folder)})
        await until(lambda: len(module.consumer.items) == 2, "pictures")
        assert [item.frame_hw for item in module.consumer.items] == [(48, 64), (64, 96)]


def turned(data: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF block that says how it is to be turned."""
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + bytes((0, orientation)) + b"\0\0\0\0\0\0"
    block = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:]


@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, "top left"), (3, "bottom right"), (6, "top right"), (8, "bottom left")]
)
async def test_a_picture_is_upright_as_its_exif_says(tmp_path: Path, orientation: int, corner: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    plain = np.full((48, 96, 3), 40, np.uint8)
    plain[:16, :16] = 230
    (folder / "1.jpg").write_bytes(turned(cv2.imencode(".jpg", plain)[1].tobytes(), orientation))
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(folder)})
        await until(lambda: module.consumer.items, "the picture")
        shown = module.consumer.last["belt"]
    assert shown.shape[:2] == ((96, 48) if orientation in (6, 8) else (48, 96))
    corners = {
        "top left": shown[:12, :12], "top right": shown[:12, -12:],
        "bottom left": shown[-12:, :12], "bottom right": shown[-12:, -12:],
    }  # fmt: skip
    assert [name for name, part in corners.items() if part.mean() > 150] == [corner]


def chunks(data: bytes, size: int) -> object:
    rest = bytearray(data)

    def read(_count: int) -> bytes:
        taken = bytes(rest[:size])
        del rest[:size]
        return taken

    return read


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_parts_are_found_however_they_are_cut_on_the_way(size: int, newline: bytes) -> None:
    head = b"--b" + newline + b"Content-Type: image/jpeg" + newline
    body = head + b"Content-Length: 7" + newline * 2 + b"--b\r\nab" + newline + head + newline + b"second" + newline
    parts = MultipartReader(chunks(body + b"--b--", size), boundary_of('multipart/x-mixed-replace;boundary="b"'))
    assert [parts.next(), parts.next(), parts.next()] == [b"--b\r\nab", b"second", None]


def test_a_multipart_stream_without_a_boundary_or_with_endless_headers_is_refused() -> None:
    with pytest.raises(MultipartError):
        boundary_of("multipart/x-mixed-replace")
    with pytest.raises(MultipartError):
        MultipartReader(chunks(b"--b\r\n" + b"X-A: b\r\n" * 5000, 500), b"--b").next()
    with pytest.raises(MultipartError):
        MultipartReader(chunks(b"--b\r\nContent-Length: 99999999999\r\n\r\n", 500), b"--b").next()


@pytest.mark.parametrize(("trusted", "checked"), [(False, True), (True, True), (False, False)])
async def test_a_web_camera_over_tls_is_checked_before_it_gets_the_password(
    tmp_path: Path, trusted: bool, checked: bool
) -> None:
    certificates = Certificates(tmp_path / "ca")
    certificates.prepare(["127.0.0.1", "localhost"])
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "DOOR").write_text(PASSWORD)
    (folder / "DOOR.host").write_text("localhost")
    if trusted:
        shutil.copy(certificates.ca_file, folder / "camera-ca.pem")
    with web_camera(credentials=("guard", PASSWORD), tls=certificates.context()) as camera:
        async with camera_module(tmp_path, VIGIE_CAMERA_NETWORKS="default 127.0.0.0/8 localhost") as module:
            source = camera.url("/mjpeg").replace("//", "//guard:${DOOR}@")
            module.set(door={"source": source, "tls_verify": checked})
            if trusted or not checked:
                await until(lambda: len(module.consumer.items) > 3, "frames")
                tls = await until(lambda: module.state("door").get("tls"), "reported")
                assert tls == ("verified" if checked else "unverified")
            else:
                await until(lambda: module.state("door").get("cause") == "unauthorised", "refused")
                assert "its certificate is not one that is trusted here" in module.state("door")["reason"]
                assert camera.asked == []
