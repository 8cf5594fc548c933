"""Privacy masks: what they hide is nowhere outside of the decoder's process."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from support.camera_module import camera_module, make_video, until
from vigie.contracts.pixels import Layout, PixelFormat
from vigie.vision.convert import to_bgr
from vigie.vision.planes import Planes, frame_bytes, planes_of
from vigie_camera.config import PrivacyMask
from vigie_camera.decode.privacy import Privacy, encloses_nothing, polygon_area

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
LAYOUTS: list[Layout] = ["bgr", "gray", "i420", "i422", "i444", "nv12"]


def coloured(layout: Layout, size_hw: tuple[int, int], *, full: bool = False) -> Planes:
    """Every sample 200: bright, and of a colour."""
    pixel_format = PixelFormat(layout, size_hw, range="full" if full else "limited")
    return planes_of(np.full(frame_bytes(pixel_format), 200, np.uint8), pixel_format)


def wanted(polygon: tuple[tuple[float, float], ...], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """By OpenCV's own filling of polygons, at sixteen times the size: any part of a pixel counts."""
    height, width = size_hw
    corners = np.array([[x * width * 16, y * height * 16] for x, y in polygon])
    large = np.zeros((height * 16, width * 16), np.uint8)
    cv2.fillPoly(large, [np.round(corners).astype(np.int32)], 1)
    return np.asarray(large.reshape(height, 16, width, 16).any(axis=(1, 3)), np.bool_)


POLYGONS = {
    "triangle": ((0.1, 0.1), (0.9, 0.3), (0.4, 0.95)),
    "sliver": ((0.1, 0.11), (0.9, 0.87), (0.9, 0.88)),
    "hollow": ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.3), (0.1, 0.9)),
    "everything": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
    "corner": ((0.97, 0.97), (1.0, 0.97), (1.0, 1.0)),
}


@pytest.mark.parametrize("name", POLYGONS)
@pytest.mark.parametrize("size_hw", [(48, 64), (121, 161)])
def test_an_area_holds_every_pixel_that_its_polygon_touches_and_no_more_than_a_pixel_beyond(
    name: str, size_hw: tuple[int, int]
) -> None:
    area, exact = polygon_area(POLYGONS[name], size_hw), wanted(POLYGONS[name], size_hw)
    # The reference rounds its corners to a sixteenth of a pixel; what only that touches may differ.
    inner = cv2.erode(exact.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    outer = cv2.dilate(exact.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert not (inner & ~area).any()
    assert not (area & ~outer).any()
    assert (area ^ exact).sum() <= 0.08 * exact.sum() + 4


def test_a_star_drawn_in_one_stroke_hides_its_middle_too() -> None:
    star = tuple((0.5 + 0.5 * np.sin(k * 4 * np.pi / 5), 0.5 - 0.5 * np.cos(k * 4 * np.pi / 5)) for k in range(5))
    assert polygon_area(star, (100, 100))[50, 50]


@pytest.mark.parametrize("size_hw", [(48, 64), (49, 67), (2, 2), (1, 1)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_black_leaves_no_sample_of_what_it_hides_and_nothing_else_changes(
    layout: str, size_hw: tuple[int, int]
) -> None:
    planes = coloured(layout, size_hw)
    Privacy([PrivacyMask(points=LEFT_HALF)]).burn(planes)
    shown = to_bgr(planes)
    half = -(-size_hw[1] // 2)
    # Beside the border the consumer's chroma filter mixes in what is visible, on black.
    assert shown[:, : max(0, half - 2)].max(initial=0) <= 1
    for number, plane in enumerate(planes.arrays):
        # Of chroma, the sample that the last hidden pixel shares with the first visible one goes too.
        across = 1 if number and layout in ("i420", "i422", "nv12") else 0
        hidden = -(-half >> across) + (1 if number else 0)
        assert (plane[:, hidden + 1 :] == 200).all()
        assert not (plane[:, : -(-half >> across)] == 200).any()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pixels_are_the_mean_colour_of_coarse_blocks(layout: str) -> None:
    random = np.random.default_rng(3)
    pixel_format = PixelFormat(layout, (240, 320))
    planes = planes_of(random.integers(0, 256, frame_bytes(pixel_format), dtype=np.uint8), pixel_format)
    before = [plane.copy() for plane in planes.arrays]
    Privacy([PrivacyMask(points=LEFT_HALF, style="pixels")]).burn(planes)
    block = 8
    for plane, old in zip(planes.arrays, before, strict=True):
        step = block * plane.shape[1] // 320
        hidden = plane[:, : plane.shape[1] // 2]
        blocks = hidden.reshape(
            hidden.shape[0] // (block * plane.shape[0] // 240), -1, hidden.shape[1] // step, step, *plane.shape[2:]
        )
        assert (blocks.max(axis=(1, 3)) == blocks.min(axis=(1, 3))).all()
        assert abs(float(hidden.mean()) - float(old.mean())) < 5
        assert np.array_equal(plane[:, plane.shape[1] // 2 + step :], old[:, plane.shape[1] // 2 + step :])


def test_masks_follow_a_change_of_size_and_black_wins_over_pixels() -> None:
    privacy = Privacy([PrivacyMask(points=LEFT_HALF, style="pixels"), PrivacyMask(points=LEFT_HALF)])
    for size_hw in ((48, 64), (96, 128), (48, 64)):
        planes = coloured("i420", size_hw, full=True)
        privacy.burn(planes)
        assert planes.arrays[0][:, : size_hw[1] // 2].max() == 0
        assert planes.arrays[0][:, size_hw[1] // 2 + 1 :].min() == 200


@pytest.mark.parametrize(
    ("points", "nothing"),
    [
        (((0.2, 0.2), (0.2, 0.2), (0.2, 0.2)), True),
        (((0.1, 0.1), (0.5, 0.5), (0.9, 0.9)), True),
        (((0.1, 0.1), (0.5, 0.5), (0.9, 0.8)), False),
    ],
)
def test_corners_on_one_line_enclose_nothing(points: tuple[tuple[float, float], ...], nothing: bool) -> None:
    assert encloses_nothing(points) is nothing


SECRET_BGR = (40, 60, 230)


def secret_video(folder: Path, encode: str) -> Path:
    """A red square in the left half of a grey picture, which moves; lossless, so that its colour is exactly known."""
    path = folder / "secret.mkv"
    frames = bytearray()
    for number in range(40):
        picture = np.full((120, 160, 3), 120, np.uint8)
        picture[20:90, 4 + number % 20 : 50 + number % 20] = SECRET_BGR
        frames += picture.tobytes()
    given = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", "160x120", "-r", "10", "-i", "-"]
    subprocess.run(["ffmpeg", "-v", "error", *given, *encode.split(), path], input=bytes(frames), check=True)
    return path


def reddest(picture_bgr: NDArray[np.uint8]) -> int:
    return int((picture_bgr[..., 2].astype(int) - picture_bgr[..., 1]).max())


async def test_masked_pixels_are_in_no_ring_no_snapshot_and_no_message(tmp_path: Path) -> None:
    video = secret_video(tmp_path, "-c:v libx264 -qp 0 -pix_fmt yuv444p")
    source: dict[str, Any] = {"source": str(video), "pace": "realtime", "loop": True}
    masks = {"window": {"points": LEFT_HALF}}
    async with camera_module(tmp_path) as module:
        module.set(dock=source)
        await until(lambda: len(module.consumer.of("dock")) > 3, "frames without a mask")
        assert reddest(module.consumer.last["dock"]) > 100
        before = {path.name for path in (tmp_path / "frames").glob("camera.dock.*.ring")}
        # What the square's chroma is in the ring, to look for it there.
        item = module.consumer.of("dock")[-1]
        chroma = int(to_planes(tmp_path / "frames", item).arrays[2][60, 35])
        assert chroma > 200

        module.set(dock={**source, "masks": masks})
        await until(lambda: module.state("dock").get("masks") == ["window (black)"], "reported")
        await until(
            lambda: not before & {path.name for path in (tmp_path / "frames").iterdir()}, "the former ring is gone"
        )
        seen = len(module.consumer.items)
        await until(lambda: len(module.consumer.items) > seen + 12, "every slot written with the mask")
        assert reddest(module.consumer.last["dock"]) < 10
        rings = list((tmp_path / "frames").glob("camera.dock.*.ring"))
        assert len(rings) == 1
        for _ in range(50):
            # Also of slots that are being written at this moment.
            assert not (np.frombuffer(rings[0].read_bytes()[4096:], np.uint8) == chroma).any()
        status, reply = await module.invoke("snapshot", {"camera": "dock", "width": 160})
        assert status == 200
        assert reddest(cv2.imdecode(np.frombuffer(base64.b64decode(reply["jpeg"]), np.uint8), cv2.IMREAD_COLOR)) < 30

        module.set(dock={**source, "masks": masks, "transport": "inline"})
        inline = len(module.consumer.items)
        await until(lambda: len(module.consumer.items) > inline + 3, "frames in messages")
        assert module.consumer.items[-1].pixels.jpeg
        assert reddest(module.consumer.last["dock"]) < 30

        module.set(dock=source)
        await until(lambda: reddest(module.consumer.last["dock"]) > 100, "seen again")
        await until(lambda: module.state("dock") and "masks" not in module.state("dock"), "reported")


def to_planes(folder: Path, item: Any) -> Planes:
    """The frame of ``item``, copied."""
    from vigie.frames import RingPool
    from vigie.frames.picture import lease_frame

    pool = RingPool(folder)
    try:
        with lease_frame(pool, item.pixels) as frame:
            return Planes(frame.format, tuple(plane.copy() for plane in frame.arrays))
    finally:
        pool.close()


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        ({"points": [[0.1, 0.1], [0.5, 0.5]]}, "$.cameras.dock.masks.window.points"),
        ({"points": [[0.1, 0.1], [0.5, 0.5], [1.2, 0.5]]}, "$.cameras.dock.masks.window.points"),
        ({"points": [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]}, "enclose nothing, so nothing would be hidden"),
        ({"points": [[0.1, 0.1], [0.5, 0.1], [0.9, 0.9]], "style": "blur"}, "$.cameras.dock.masks.window.style"),
        ({"points": [[0.1, 0.1], [0.5, 0.1], [0.9, 0.9]], "colour": "red"}, "$.cameras.dock.masks.window.colour"),
    ],
)
async def test_a_mask_that_would_not_hide_what_it_should_is_refused(tmp_path: Path, mask: Any, text: str) -> None:
    video = make_video(tmp_path / "grey.avi", frames=3)
    async with camera_module(tmp_path) as module:
        version = module.set(dock={"source": str(video), "masks": {"window": mask}})
        await until(lambda: module.acknowledgement().get("av") == version, "acknowledged")
        assert module.acknowledgement()["ac"] == 400
        assert text in module.acknowledgement()["ad"]
