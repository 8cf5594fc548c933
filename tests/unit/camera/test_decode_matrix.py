"""More cells of the matrix of videos: frames equal FFmpeg's own, by codec, depth, chroma, scan, shape and time."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from support.ffmpeg_clips import FRAMES, clip, decoded, differences, has_encoder, run

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")

X265 = "libx265 -x265-params log-level=none"
CELLS = {
    "h264 4:2:2 10 bit": ("libx264", "yuv422p10le", ".mp4"),
    "h264 4:4:4 10 bit": ("libx264", "yuv444p10le", ".mkv"),
    "h264 4:2:2 full range": ("libx264 -color_range pc", "yuvj422p", ".mkv"),
    "hevc 4:2:0 10 bit": (X265, "yuv420p10le", ".mp4"),
    "hevc 4:4:4": (X265, "yuv444p", ".mkv"),
    "hevc 4:2:0 12 bit": (X265, "yuv420p12le", ".mkv"),
    "hevc gray": (X265, "gray", ".mkv"),
    "hevc full range": (f"{X265}:range=full -color_range pc", "yuvj420p", ".mp4"),
    "mpeg2 4:2:2": ("mpeg2video -q:v 3", "yuv422p", ".ts"),
    "mpeg2 in program stream": ("mpeg2video -q:v 3", "yuv420p", ".mpg"),
    "mpeg4 b-frames": ("mpeg4 -q:v 3 -bf 2", "yuv420p", ".avi"),
    "vp9 4:4:4": ("libvpx-vp9 -b:v 1M -cpu-used 8 -profile:v 1", "yuv444p", ".webm"),
    "vp9 10 bit": ("libvpx-vp9 -b:v 1M -cpu-used 8 -profile:v 2", "yuv420p10le", ".webm"),
    "av1 10 bit": ("libsvtav1 -preset 12", "yuv420p10le", ".mkv"),
    "mjpeg 4:2:0": ("mjpeg -q:v 3", "yuvj420p", ".avi"),
    "mjpeg 4:4:4": ("mjpeg -q:v 3", "yuvj444p", ".mkv"),
    "prores 4:4:4": ("prores_ks -profile:v 4", "yuv444p10le", ".mov"),
    "ffv1 4:1:1": ("ffv1", "yuv411p", ".mkv"),
    "ffv1 16 bit gray": ("ffv1", "gray16le", ".mkv"),
    "png in a film": ("png", "rgb24", ".mov"),
    "raw": ("rawvideo", "yuyv422", ".avi"),
}


@pytest.mark.parametrize("name", CELLS)
def test_frames_equal_ffmpegs_own(tmp_path: Path, name: str) -> None:
    words, pix_fmt, suffix = CELLS[name]
    if not has_encoder(words.split()[0]):
        pytest.skip(f"this ffmpeg has no {words.split()[0]}")
    path = clip(tmp_path / f"clip{suffix}", "-c:v", *words.split(), "-pix_fmt", pix_fmt)
    pictures, planes, times, damage = decoded(path)
    assert len(pictures) == FRAMES
    # 2 is the promise; conversions of depth and chroma round differently by one level at most.
    assert max(differences(path, planes)) <= 2.0
    assert damage.total == 0
    assert times == sorted(times)


@pytest.mark.parametrize(
    "size", [pytest.param("3840x2160", marks=pytest.mark.slow), "1280x720", "1920x1080", "322x242", "64x64"]
)
@pytest.mark.parametrize("codec", ["libx264", X265], ids=["h264", "hevc"])
def test_sizes_that_cameras_send(tmp_path: Path, codec: str, size: str) -> None:
    path = clip(tmp_path / "clip.mp4", "-preset", "ultrafast", "-c:v", *codec.split(), "-pix_fmt", "yuv420p", size=size)
    pictures, planes, _, damage = decoded(path)
    width, height = map(int, size.split("x"))
    assert {one.shape for one in pictures} == {(height, width, 3)}
    assert max(differences(path, planes)) <= 1.0
    assert damage.total == 0


@pytest.mark.parametrize("field", ["tff", "bff"])
def test_interlaced_prores_is_deinterlaced(tmp_path: Path, field: str) -> None:
    top = "1" if field == "tff" else "0"
    path = clip(
        tmp_path / "int.mov", "-vf", f"setfield={field}", "-c:v", "prores_ks", "-flags", "+ildct", "-top", top,
        "-pix_fmt", "yuv422p10le",
    )  # fmt: skip
    pictures, planes, _, _ = decoded(path)
    assert len(pictures) == FRAMES
    assert max(differences(path, planes, "bwdif=mode=send_frame:deint=interlaced")) <= 2


@pytest.mark.parametrize("field", ["tff", "bff"])
def test_interlaced_hevc_is_deinterlaced(tmp_path: Path, field: str) -> None:
    """Where the encoder marks fields by SEI alone: frames come as pairs of fields."""
    path = clip(
        tmp_path / "int.mkv", "-vf", f"setfield={field}", "-c:v", "libx265", "-x265-params",
        f"log-level=none:interlace={field}", "-pix_fmt", "yuv420p",
    )  # fmt: skip
    pictures, planes, _, _ = decoded(path)
    assert {one.shape[1] for one in pictures} == {160}
    assert max(differences(path, planes, "bwdif=mode=send_frame:deint=interlaced")) <= 2


def test_a_turned_anamorphic_interlaced_film_is_upright_with_square_pixels(tmp_path: Path) -> None:
    plain = clip(
        tmp_path / "plain.mp4", "-vf", "setsar=16/11,setfield=tff", "-c:v", "libx264", "-flags", "+ildct+ilme",
        "-pix_fmt", "yuv420p",
    )  # fmt: skip
    path = tmp_path / "turned.mp4"
    run("-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", path)
    pictures, _, _, damage = decoded(path)
    assert {one.shape for one in pictures} == {(233, 120, 3)}
    assert damage.total == 0
    assert min(one.std() for one in pictures) > 20


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_varying_frame_times_in_every_container(tmp_path: Path, suffix: str) -> None:
    codec = "libvpx-vp9 -cpu-used 8 -b:v 1M" if suffix == ".webm" else "libx264 -bf 2"
    if not has_encoder(codec.split(maxsplit=1)[0]):
        pytest.skip(f"this ffmpeg has no {codec.split(maxsplit=1)[0]}")
    path = clip(
        tmp_path / f"vfr{suffix}", "-vf", "setpts='if(lt(N,3),N,if(eq(N,4),11,N*3))/10/TB'", "-fps_mode", "vfr",
        "-c:v", *codec.split(),
    )  # fmt: skip
    _, _, times, _ = decoded(path)
    assert np.allclose(times, [0, 0.1, 0.2, 0.9, 1.1, 1.5], atol=0.004)


def test_a_gif_with_transparency_and_frames_of_parts_is_whole_in_every_frame(tmp_path: Path) -> None:
    path = clip(tmp_path / "parts.gif", "-c:v", "gif", "-gifflags", "+transdiff+offsetting", source="testsrc")
    pictures, planes, _, _ = decoded(path)
    assert len(pictures) == FRAMES
    assert max(differences(path, planes)) <= 1.0
