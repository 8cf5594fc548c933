"""Planes to BGR and luma, judged by FFmpeg's own conversion and by the standards' numbers."""

from __future__ import annotations

import shutil
import subprocess

import cv2
import numpy as np
import pytest

from vigie.contracts.pixels import PixelFormat
from vigie.errors import PixelFormatError
from vigie.vision.convert import fitting_hw, to_bgr, to_luma
from vigie.vision.planes import bgr_planes, copy_planes, frame_bytes, plane_shapes, planes_of

PIX_FMT = {"gray": "gray", "i420": "yuv420p", "i422": "yuv422p", "i444": "yuv444p", "nv12": "nv12"}
ZIMG = {"bt601": "170m", "bt709": "709", "bt2020": "2020_ncl"}


def photo(hw: tuple[int, int], seed: int = 3) -> np.ndarray:
    """Coloured shapes under a soft light, with edges but without single-pixel noise, as optics give."""
    rng = np.random.default_rng(seed)
    height, width = hw
    picture = np.empty((height, width, 3), np.uint8)
    picture[...] = (np.indices(hw).sum(0) * 255 // (height + width))[..., None]
    for _ in range(12):
        at = tuple(int(one) for one in rng.integers(0, (width, height)))
        cv2.circle(picture, at, int(min(hw) // 5), [int(one) for one in rng.integers(0, 256, 3)], -1)
    return cv2.GaussianBlur(picture, (5, 5), 1.5)


def ffmpeg(raw: bytes, hw: tuple[int, int], before: str, after: str, filters: str) -> bytes:
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    size = f"{hw[1]}x{hw[0]}"
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", before, "-s", size, "-i", "-",
         "-vf", filters, "-f", "rawvideo", "-pix_fmt", after, "-"],
        input=raw, capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout


def encoded(frame_bgr: np.ndarray, pixel_format: PixelFormat) -> np.ndarray:
    """FFmpeg's planes of ``frame_bgr``."""
    colour = f"out_color_matrix={pixel_format.matrix}:out_range={pixel_format.range}"
    raw = ffmpeg(
        frame_bgr.tobytes(), pixel_format.size_hw, "bgr24", PIX_FMT[pixel_format.layout],
        f"scale={colour}:flags=bilinear+accurate_rnd+full_chroma_inp:in_range=full",
    )  # fmt: skip
    return np.frombuffer(raw, np.uint8)


def decoded(packed: np.ndarray, pixel_format: PixelFormat, hw: tuple[int, int]) -> np.ndarray:
    """FFmpeg's BGR of planes at ``hw``, by zimg, which places chroma where its siting says."""
    siting = {"left": "left", "centre": "center", "top_left": "topleft"}[pixel_format.siting]
    colour = f"matrixin={ZIMG[pixel_format.matrix]}:matrix=gbr:rangein={pixel_format.range}:range=full"
    raw = ffmpeg(
        packed.tobytes(), pixel_format.size_hw, PIX_FMT[pixel_format.layout], "bgr24",
        f"zscale={hw[1]}:{hw[0]}:{colour}:chromalin={siting}:filter=bilinear,format=gbrp",
    )  # fmt: skip
    return np.frombuffer(raw, np.uint8).reshape(*hw, 3)


def decoded_fast(packed: np.ndarray, pixel_format: PixelFormat) -> np.ndarray:
    """FFmpeg's BGR by swscale, which repeats chroma samples instead of interpolating them."""
    colour = f"in_color_matrix={pixel_format.matrix}:in_range={pixel_format.range}:out_range=full"
    raw = ffmpeg(
        packed.tobytes(), pixel_format.size_hw, PIX_FMT[pixel_format.layout], "bgr24",
        f"scale={colour}:flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp",
    )  # fmt: skip
    return np.frombuffer(raw, np.uint8).reshape(*pixel_format.size_hw, 3)


@pytest.mark.parametrize("value_range", ["limited", "full"])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("layout", ["i420", "i422", "i444", "nv12", "gray"])
def test_bgr_is_ffmpegs_for_every_layout_matrix_and_range(layout: str, matrix: str, value_range: str) -> None:
    hw = (90, 120)
    pixel_format = PixelFormat(layout, hw, matrix, value_range)
    packed = encoded(photo(hw), pixel_format)
    ours = to_bgr(planes_of(packed, pixel_format)).astype(int)
    # Rounding in different places: a level here and there.
    difference = np.abs(ours - decoded(packed, pixel_format, hw))
    assert difference.mean() <= 0.4
    assert np.percentile(difference, 99.9) <= 2
    if layout != "gray":  # swscale 5.1 stretches gray of limited range as if it were full
        assert np.abs(ours - decoded_fast(packed, pixel_format)).mean() <= 2


@pytest.mark.parametrize(
    "hw", [(45, 60), (54, 96), (120, 90), (180, 240)], ids=["half", "odd ratio", "other shape", "up"]
)
@pytest.mark.parametrize("layout", ["i420", "nv12", "i422"])
def test_resizing_before_the_conversion_gives_ffmpegs_picture(layout: str, hw: tuple[int, int]) -> None:
    pixel_format = PixelFormat(layout, (90, 120), "bt709")
    packed = encoded(photo((90, 120)), pixel_format)
    ours = to_bgr(planes_of(packed, pixel_format), hw).astype(int)
    # A resize of the whole converted frame: what models were trained behind.
    full = decoded(packed, pixel_format, (90, 120))
    resized = cv2.resize(full, (hw[1], hw[0]), interpolation=cv2.INTER_LINEAR).astype(int)
    assert np.abs(ours - resized).mean() <= 1.0


@pytest.mark.parametrize(
    ("siting", "expected"), [("left", (16.5, 16.0)), ("centre", (16.5, 16.5)), ("top_left", (16.0, 16.0))]
)
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_chroma_lies_where_its_siting_says(siting: str, expected: tuple[float, float], scale: float) -> None:
    """Samples 6..10 are red: the middle of the red, in luma pixels of the source, is where sample 8 lies."""
    # Sample (8, 8) of the chroma plane belongs to luma 16 and 17; its place is the middle of those, or their first.
    hw = (40, 40)
    pixel_format = PixelFormat("i420", hw, "bt601", "full", siting)
    frame = planes_of(np.full(frame_bytes(pixel_format), 128, np.uint8), pixel_format)
    frame.arrays[2][6:11, 6:11] = 200
    size_hw = (round(40 * scale), round(40 * scale))
    red = to_bgr(frame, size_hw)[..., 2].astype(float) - 128
    ys, xs = np.indices(size_hw)
    found = ((red * (ys + 0.5)).sum() / red.sum() / scale - 0.5, (red * (xs + 0.5)).sum() / red.sum() / scale - 0.5)
    assert found == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("hw", [(1, 1), (1, 2), (2, 1), (3, 5), (17, 33)], ids=str)
@pytest.mark.parametrize("layout", ["bgr", "gray", "i420", "i422", "i444", "nv12"])
def test_odd_and_tiny_frames_convert_at_their_size_and_others(layout: str, hw: tuple[int, int]) -> None:
    pixel_format = PixelFormat(layout, hw, range="full")
    packed = np.full(frame_bytes(pixel_format), 128, np.uint8)
    for size_hw in (None, (4, 6), (1, 1)):
        made = to_bgr(planes_of(packed, pixel_format), size_hw)
        assert made.shape == (*(size_hw or hw), 3)
        assert np.all(made == 128)
        assert to_luma(planes_of(packed, pixel_format), size_hw).shape == (size_hw or hw)


@pytest.mark.parametrize(
    ("yuv", "matrix", "value_range", "bgr"),
    [
        # Red as FFmpeg encodes it (reference values of PyAV 18.1: 0,0,253 / 0,23,255 / 13,14,238, within rounding).
        ((81, 90, 240), "bt601", "limited", (0, 0, 254)),
        ((81, 90, 240), "bt709", "limited", (0, 23, 255)),
        ((81, 90, 240), "bt601", "full", (14, 14, 238)),
        ((16, 128, 128), "bt709", "limited", (0, 0, 0)),
        ((235, 128, 128), "bt2020", "limited", (255, 255, 255)),
        ((255, 128, 128), "bt601", "full", (255, 255, 255)),
    ],
)
def test_known_colours(yuv: tuple[int, ...], matrix: str, value_range: str, bgr: tuple[int, ...]) -> None:
    pixel_format = PixelFormat("i444", (2, 2), matrix, value_range)
    packed = np.repeat(np.array(yuv, np.uint8), 4)
    assert np.abs(to_bgr(planes_of(packed, pixel_format))[0, 0].astype(int) - bgr).max() <= 1


def test_a_conversion_fills_a_strided_view_and_leaves_the_frame_and_the_rest_alone() -> None:
    pixel_format = PixelFormat("i420", (32, 48))
    packed = np.random.default_rng(0).integers(0, 256, frame_bytes(pixel_format), np.uint8)
    before = packed.copy()
    packed.flags.writeable = False
    for size_hw in ((32, 48), (16, 24), (64, 50)):
        tensor = np.full((100, 100, 3), 7, np.uint8)
        inner = tensor[3 : 3 + size_hw[0], 5 : 5 + size_hw[1]]
        frame = planes_of(packed, pixel_format)
        assert np.array_equal(to_bgr(frame, size_hw, out_bgr=inner), to_bgr(frame, size_hw))
        assert np.array_equal(inner, to_bgr(frame, size_hw))
        outside = tensor.copy()
        outside[3 : 3 + size_hw[0], 5 : 5 + size_hw[1]] = 7
        assert np.all(outside == 7)
    assert np.array_equal(packed, before)


def test_luma_of_planes_is_their_first_and_of_bgr_its_gray() -> None:
    pixel_format = PixelFormat("nv12", (8, 8))
    packed = np.arange(frame_bytes(pixel_format), dtype=np.uint8)
    assert np.array_equal(to_luma(planes_of(packed, pixel_format)), packed[:64].reshape(8, 8))
    picture = photo((40, 60))
    assert np.array_equal(to_luma(bgr_planes(picture)), cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    assert np.array_equal(
        to_luma(planes_of(packed, pixel_format), (2, 2), area=True),
        packed[:64].reshape(2, 4, 2, 4).mean((1, 3)).round().astype(np.uint8),
    )


def test_planes_are_views_of_the_bytes_and_must_fill_them_exactly() -> None:
    pixel_format = PixelFormat("i420", (5, 7))
    assert plane_shapes(pixel_format) == [(5, 7), (3, 4), (3, 4)]
    packed = np.zeros(frame_bytes(pixel_format), np.uint8)
    frame = planes_of(packed, pixel_format)
    assert all(np.shares_memory(one, packed) for one in frame.arrays)
    with pytest.raises(PixelFormatError, match="frame of 5x7 i420: takes 59 bytes, got 60"):
        planes_of(np.zeros(60, np.uint8), pixel_format)
    with pytest.raises(PixelFormatError, match="expected planes"):
        copy_planes([np.zeros((5, 7), np.uint8)], frame)
    with pytest.raises(PixelFormatError, match="got \\(5, 7\\) uint8"):
        bgr_planes(np.zeros((5, 7), np.uint8))


def test_a_size_that_fits_a_width_keeps_the_aspect_ratio() -> None:
    assert fitting_hw((1080, 1920), 480) == (270, 480)
    assert fitting_hw((1080, 1920), 4000) == (1080, 1920)
    assert fitting_hw((1, 1920), 32) == (1, 32)
