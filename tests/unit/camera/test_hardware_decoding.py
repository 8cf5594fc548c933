"""Hardware decodes only where its first pictures equal the software decoder's, and a camera never stays dark for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from av.video.frame import VideoFrame

from support.camera_module import camera_module, make_video, until
from support.ffmpeg_clips import FILE, FRAMES, clip
from vigie_camera.capture import hardware_doubt
from vigie_camera.cause import Cause
from vigie_camera.decode.accelerators import ACCELERATORS, present
from vigie_camera.decode.hardware import DecoderComparison, HardwareDoubtError
from vigie_camera.decode.pyav import PyavBackend, PyavVideo, open_proven

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
AUTO = msgspec.structs.replace(FILE, decoding="auto")


def picture(seed: int, *, size_wh: tuple[int, int] = (64, 48), bias: int = 0, flat: bool = False) -> VideoFrame:
    width, height = size_wh
    values = np.random.default_rng(seed).integers(60, 180, (height * 3 // 2, width))
    values = np.full_like(values, 128) if flat else values
    frame = VideoFrame.from_ndarray((values + bias).astype(np.uint8), format="yuv420p")
    frame.pts = seed
    return frame


def test_equal_pictures_prove_the_hardware() -> None:
    comparison = DecoderComparison(wanted=3)
    for seed in range(3):
        assert not comparison.proven
        comparison.software(picture(seed))
        comparison.hardware(picture(seed).reformat(format="nv12"))
    assert comparison.proven


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (picture(1, bias=4), "picture 2 differs from the software decoder's by 4.0 of 255"),
        (picture(2), "pictures in another order"),
        (picture(1, size_wh=(32, 48)), "it gives 32x48 where the software decoder gives 64x48"),
    ],
)
def test_pictures_that_differ_are_a_doubt(wrong: VideoFrame, why: str) -> None:
    comparison = DecoderComparison(wanted=3)
    comparison.software(picture(0))
    comparison.hardware(picture(0))
    comparison.software(picture(1))
    with pytest.raises(HardwareDoubtError, match=why):
        comparison.hardware(wrong)


def test_grey_pictures_prove_nothing() -> None:
    comparison = DecoderComparison(wanted=2)
    for seed in range(7):
        comparison.software(picture(seed, flat=True))
        comparison.hardware(picture(seed, flat=True))
    comparison.software(picture(7, flat=True))
    with pytest.raises(HardwareDoubtError, match="too flat"):
        comparison.hardware(picture(7, flat=True))


def test_a_decoder_that_gives_no_pictures_is_a_doubt() -> None:
    comparison = DecoderComparison()
    for seed in range(32):
        comparison.software(picture(seed))
    with pytest.raises(HardwareDoubtError, match="more or fewer pictures"):
        comparison.software(picture(32))


@needs_ffmpeg
def test_the_pictures_of_the_proof_are_not_lost(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2")
    plain = PyavBackend().open(str(path), FILE)
    video = PyavVideo(av.open(str(path)), FILE, network=False)
    video_of_six = DecoderComparison(wanted=4)
    video.prove(video_of_six)
    assert video_of_six.proven
    for _ in range(FRAMES):
        expected, proven = plain.next(), video.next()
        assert expected is not None
        assert proven is not None
        assert proven.media_s == expected.media_s
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(proven.arrays, expected.arrays, strict=True))
    assert video.next() is None
    video.close()
    plain.close()


@needs_ffmpeg
def test_a_video_too_short_for_the_proof_is_a_doubt(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    video = PyavVideo(av.open(str(path)), FILE, network=False)
    with pytest.raises(HardwareDoubtError, match="short or flat"):
        video.prove(DecoderComparison(wanted=FRAMES + 1))
    video.close()


@needs_ffmpeg
@pytest.mark.skipif(bool(present()), reason="this machine has the device")
def test_a_driver_that_is_not_there_is_a_doubt(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    with pytest.raises(HardwareDoubtError, match="it does not open"):
        open_proven(str(path), AUTO, ACCELERATORS[0])


def test_an_accelerator_is_tried_only_with_all_its_device_files() -> None:
    (cuda,) = ACCELERATORS
    assert present(lambda _: True) == (cuda,)
    assert present(lambda node: node != "/dev/nvidia-uvm") == ()


@pytest.mark.skipif(bool(present()), reason="this machine has the device")
async def test_a_camera_says_what_decodes_it_and_why(tmp_path: Path) -> None:
    video = make_video(tmp_path / "clip.mp4")
    async with camera_module(tmp_path) as module:
        module.set(dock={"source": str(video), "decoding": "auto"})
        await until(lambda: len(module.consumer.items) == 30, "frames")
        decoder = await until(lambda: module.state("dock").get("decoder"), "reported")
        assert decoder.endswith("software: this container has no device whose decoder is known")


@pytest.mark.parametrize("source", ["synthetic://conveyor?size=64x64", "http://10.0.0.1/video.mjpg"])
async def test_what_is_never_decoded_by_hardware_is_refused(tmp_path: Path, source: str) -> None:
    async with camera_module(tmp_path) as module:
        version = module.set(dock={"source": source, "decoding": "auto"})
        await until(lambda: module.acknowledgement().get("av") == version, "acknowledged")
        assert "$.cameras.dock.decoding: only video files and RTSP" in module.acknowledgement()["ad"]


@pytest.mark.parametrize(
    ("cause", "decoder", "doubted"),
    [
        (Cause.TIMEOUT, None, True),
        (Cause.DECODE, None, True),
        (Cause.UNAUTHORISED, None, False),
        (Cause.DECODE, "pyav h264, hardware (cuda)", True),
        (Cause.STALLED, "pyav h264, hardware (cuda)", False),
        (Cause.DECODE, "pyav h264, software: cuda is not used", False),
    ],
)
def test_a_driver_that_hangs_or_crashes_is_not_tried_again(cause: Cause, decoder: str | None, doubted: bool) -> None:
    assert bool(hardware_doubt(cause, decoder)) is doubted
