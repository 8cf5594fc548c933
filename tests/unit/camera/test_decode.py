"""What a decoder gives, on real files made by FFmpeg: equal to FFmpeg's own frames, whatever the file is like."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.ffmpeg_clips import FRAMES, clip, decoded, differences, has_encoder, run
from vigie_camera.cause import Cause
from vigie_camera.decode.backend import VideoError
from vigie_camera.decode.pixels import converted_to, matrix_of, range_of

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


MATRIX = {
    "h264": ("libx264", "yuv420p", ".mp4"),
    "h264 b-frames": ("libx264 -bf 2", "yuv420p", ".mp4"),
    "h264 4:2:2": ("libx264", "yuv422p", ".mp4"),
    "h264 4:4:4": ("libx264", "yuv444p", ".mp4"),
    "h264 10 bit": ("libx264", "yuv420p10le", ".mp4"),
    "h264 gray": ("libx264", "gray", ".mp4"),
    "h264 full range": ("libx264 -color_range pc", "yuvj420p", ".mp4"),
    "hevc": ("libx265 -x265-params log-level=none", "yuv420p", ".mp4"),
    "hevc 10 bit": ("libx265 -x265-params log-level=none", "yuv422p10le", ".mkv"),
    "mpeg2": ("mpeg2video -q:v 3", "yuv420p", ".ts"),
    "mpeg4": ("mpeg4 -q:v 3", "yuv420p", ".mp4"),
    "vp8": ("libvpx -b:v 1M", "yuv420p", ".webm"),
    "vp9": ("libvpx-vp9 -b:v 1M -cpu-used 8", "yuv420p", ".webm"),
    "av1": ("libsvtav1 -preset 12", "yuv420p", ".mp4"),
    "mjpeg": ("mjpeg -q:v 3", "yuvj422p", ".avi"),
    "prores": ("prores_ks", "yuv422p10le", ".mov"),
    "gif": ("gif", "rgb8", ".gif"),
}


@pytest.mark.parametrize("name", MATRIX)
def test_frames_equal_ffmpegs_own(tmp_path: Path, name: str) -> None:
    words, pix_fmt, suffix = MATRIX[name]
    if not has_encoder(words.split()[0]):
        pytest.skip(f"this ffmpeg has no {words.split()[0]}")
    path = clip(tmp_path / f"clip{suffix}", "-c:v", *words.split(), "-pix_fmt", pix_fmt)
    pictures, planes, times, damage = decoded(path)
    assert len(pictures) == FRAMES
    assert max(differences(path, planes)) <= 1.0  # 0 but for the rounding of deep samples
    assert damage.total == 0
    assert times == sorted(times)


@pytest.mark.parametrize("size", ["161x121", "16x16", "2x2", "64x1080"])
def test_odd_and_tiny_sizes(tmp_path: Path, size: str) -> None:
    width, height = map(int, size.split("x"))
    path = clip(tmp_path / "clip.mkv", "-c:v", "ffv1", "-pix_fmt", "yuv420p", size=size, source="testsrc")
    pictures, planes, _, _ = decoded(path)
    assert [one.shape for one in pictures] == [(height, width, 3)] * FRAMES
    raw = run("-i", path, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
    assert b"".join(plane.tobytes() for one in planes for plane in one.arrays) == raw


@pytest.mark.parametrize("field", ["tff", "bff"])
@pytest.mark.parametrize(
    ("encode", "suffix"),
    [("libx264 -flags +ildct+ilme", ".mp4"), ("mpeg2video -q:v 3 -flags +ildct+ilme", ".ts")],
    ids=["h264", "mpeg2"],
)
def test_interlaced_video_shows_the_picture_deinterlaced(tmp_path: Path, field: str, encode: str, suffix: str) -> None:
    path = clip(tmp_path / f"int{suffix}", "-vf", f"setfield={field}", "-c:v", *encode.split(), "-pix_fmt", "yuv420p")
    pictures, planes, _, damage = decoded(path)
    assert len(pictures) == FRAMES
    assert damage.total == 0
    assert max(differences(path, planes, "bwdif=mode=send_frame:deint=interlaced")) <= 2


def test_a_mixed_stream_is_deinterlaced_where_it_is_interlaced_and_loses_no_frame(tmp_path: Path) -> None:
    progressive = clip(tmp_path / "p.ts", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    interlaced = clip(
        tmp_path / "i.ts", "-vf", "setfield=tff", "-c:v", "libx264", "-flags", "+ildct+ilme", "-pix_fmt", "yuv420p"
    )
    mixed = tmp_path / "mixed.ts"
    mixed.write_bytes(progressive.read_bytes() + interlaced.read_bytes() + progressive.read_bytes())
    pictures, _, _, _ = decoded(mixed)
    assert len(pictures) == 3 * FRAMES
    assert min(one.std() for one in pictures) > 20


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_rotated_file_is_shown_upright_as_ffmpeg_shows_it(tmp_path: Path, turn: int) -> None:
    plain = clip(tmp_path / "plain.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    path = tmp_path / "turned.mp4"
    run("-i", plain, "-c", "copy", "-metadata:s:v", f"rotate={turn}", path)
    hw = (120, 160) if turn == 180 else (160, 120)
    pictures, planes, _, _ = decoded(path)
    assert {one.shape for one in pictures} == {(*hw, 3)}
    assert max(differences(path, planes)) == 0


def test_anamorphic_video_gets_square_pixels(tmp_path: Path) -> None:
    path = clip(tmp_path / "wide.mp4", "-vf", "setsar=16/11", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    pictures, planes, _, _ = decoded(path)
    assert {one.shape for one in pictures} == {(120, 233, 3)}
    assert max(differences(path, planes, "scale=233:120:flags=bilinear", "setsar=1")) <= 2


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
@pytest.mark.parametrize("value_range", ["tv", "pc"])
def test_a_tagged_matrix_and_range_are_honoured(tmp_path: Path, matrix: str, value_range: str) -> None:
    colour = {"bt709": "bt709", "smpte170m": "bt601"}[matrix]
    path = clip(
        tmp_path / "clip.mkv",
        "-vf", f"format=rgb24,scale=out_color_matrix={colour}:out_range={value_range},format=yuv444p",
        "-c:v", "libx264", "-qp", "0", "-colorspace", matrix, "-color_range", value_range,
        source="color=red",
    )  # fmt: skip
    pictures, planes, _, _ = decoded(path)
    assert planes[0].format.matrix == colour
    assert planes[0].format.range == {"tv": "limited", "pc": "full"}[value_range]
    # Red comes back as red, which a wrong matrix or range would not give.
    assert np.abs(pictures[0][60, 80].astype(int) - (0, 0, 255)).max() <= 4


def test_variable_frame_times_are_the_files_own(tmp_path: Path) -> None:
    path = clip(
        tmp_path / "vfr.mkv",
        "-vf",
        "setpts='if(lt(N,3),N,if(eq(N,4),11,N*3))/10/TB'",
        "-fps_mode",
        "vfr",
        "-c:v",
        "libx264",
    )
    _, _, times, _ = decoded(path)
    assert np.allclose(times, [0, 0.1, 0.2, 0.9, 1.1, 1.5], atol=0.002)


def damaged(path: Path, how: str) -> Path:
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    match how:
        case "cut":
            del raw[len(raw) * 2 // 3 :]
        case "zeros":
            raw[middle : middle + 400] = bytes(400)
        case "noise":
            raw[middle : middle + 400] = np.random.default_rng(1).integers(0, 256, 400, np.uint8).tobytes()
        case "gap":
            del raw[middle : middle + 376]
        case "flips":
            for at in range(len(raw) // 4, len(raw) - 500, 997):
                raw[at] ^= 0x55
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("how", ["cut", "zeros", "noise", "gap", "flips"])
def test_a_damaged_file_gives_every_frame_that_ffmpeg_gives_and_says_how_many_are_not_whole(
    tmp_path: Path, how: str
) -> None:
    whole = tmp_path / "whole.ts"
    run("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10", "-frames:v", 60, "-c:v", "libx264", "-g", 10, whole)
    path = damaged(whole, how)
    pictures, _, _, damage = decoded(path)
    raw = run("-i", path, "-f", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough", "-")
    expected = len(raw) // (120 * 160)
    assert len(pictures) >= expected - 1
    if how != "cut":
        assert damage.total > 0 or len(pictures) < 60


def test_a_truncated_mp4_says_that_it_ends_early(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp4"
    run(
        "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10", "-frames:v", 60, "-c:v", "libx264",
        "-movflags", "+faststart", whole,
    )  # fmt: skip
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    pictures, _, _, damage = decoded(whole)
    assert 20 < len(pictures) < 60
    assert damage.total > 0 or damage.ended_early


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mka"
    run("-f", "lavfi", "-i", "sine=d=1", path)
    with pytest.raises(VideoError) as caught:
        decoded(path)
    assert caught.value.cause is Cause.NO_VIDEO


def test_opencv_decodes_progressive_video_and_refuses_interlaced_instead_of_showing_memory(tmp_path: Path) -> None:
    # In a process of its own: the back end takes standard error over.
    code = (
        "import sys; from vigie_camera.decode.backend import VideoError, VideoOptions\n"
        "from vigie_camera.decode.opencv import OpencvBackend\n"
        "said = open(sys.argv[1] + '/said', 'w')\n"
        "for name in ('progressive', 'interlaced'):\n"
        "    video = OpencvBackend().open(f'{sys.argv[1]}/{name}.mp4', VideoOptions(live=False)); frames = 0\n"
        "    try:\n"
        "        while video.next(): frames += 1\n"
        "        print(name, frames, file=said)\n"
        "    except VideoError as error: print(name, frames, error.cause, error.reason, file=said)\n"
    )
    clip(tmp_path / "progressive.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    flags = ("-vf", "setfield=tff", "-c:v", "libx264", "-flags", "+ildct+ilme", "-pix_fmt", "yuv420p")
    clip(tmp_path / "interlaced.mp4", *flags)
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    lines = (tmp_path / "said").read_text().splitlines()
    assert lines[0] == f"progressive {FRAMES}"
    assert lines[1].startswith("interlaced 0 unsupported_codec interlaced video, which this image's decoder (opencv)")


@pytest.mark.parametrize(
    ("pix_fmt", "becomes"),
    [
        ("yuv420p10le", "yuv420p"), ("yuv422p10be", "yuv422p"), ("yuv444p12le", "yuv444p"), ("gray10le", "gray"),
        ("p010le", "yuv420p"), ("yuva444p10le", "yuv444p"), ("nv21", "yuv420p"), ("yuyv422", "yuv422p"),
        ("rgb24", "bgr24"), ("gbrp", "bgr24"), ("pal8", "bgr24"), ("gbrp10le", "bgr24"),
    ],
)  # fmt: skip
def test_every_other_pixel_format_becomes_the_nearest_of_eight_bits(pix_fmt: str, becomes: str) -> None:
    assert converted_to(pix_fmt) == becomes


def test_untagged_video_is_read_as_players_read_it() -> None:
    assert matrix_of(2, (1080, 1920)) == matrix_of(2, (720, 1280)) == "bt709"
    assert matrix_of(2, (576, 720)) == matrix_of(2, (360, 640)) == "bt601"
    assert range_of(0, "yuv420p") == "limited"
    assert range_of(0, "yuvj420p") == range_of(0, "gray") == range_of(2, "yuv420p") == "full"
