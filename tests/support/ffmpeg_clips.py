"""Small videos made by FFmpeg, what our decoders make of them, and how far that is from FFmpeg's own frames."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from vigie.vision.convert import to_bgr
from vigie.vision.planes import Planes, frame_bytes
from vigie_camera.decode.backend import VideoOptions
from vigie_camera.decode.choice import load_backend

FILE = VideoOptions(live=False)
FRAMES = 6


def run(*words: object) -> bytes:
    done = subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-500:]
    return done.stdout


def clip(path: Path, *encode: object, size: str = "160x120", source: str = "testsrc2") -> Path:
    run(
        "-f",
        "lavfi",
        "-i",
        f"{source}{':' if '=' in source else '='}size={size}:rate=10",
        "-frames:v",
        FRAMES,
        *encode,
        path,
    )
    return path


def has_encoder(name: str) -> bool:
    return f" {name} " in run("-hide_banner", "-encoders").decode()


def decoded(path: Path, backend: str = "pyav") -> tuple[list[np.ndarray], list[Planes], list[float | None], object]:
    """BGR, formats and times of all frames, and the damage."""
    video = load_backend(backend).open(str(path), FILE)
    pictures, planes, times = [], [], []
    try:
        while (frame := video.next()) is not None:
            shown = Planes(frame.format, tuple(np.ascontiguousarray(one) for one in frame.arrays))
            pictures.append(to_bgr(shown))
            planes.append(shown)
            times.append(frame.media_s)
        return pictures, planes, times, video.damage
    finally:
        video.close()


PIX_FMT = {"i420": "yuv420p", "i422": "yuv422p", "i444": "yuv444p", "gray": "gray", "nv12": "nv12", "bgr": "bgr24"}


def differences(path: Path, planes: list[Planes], *filters: str) -> list[float]:
    """Mean absolute difference of each frame's planes from FFmpeg's; also checks that there are as many frames."""
    first = planes[0].format
    name = PIX_FMT[first.layout]
    if first.range == "full" and name.startswith("yuv"):
        name = name.replace("yuv", "yuvj")
    chain = ("-vf", ",".join(filters)) if filters else ()
    raw = run("-i", path, *chain, "-f", "rawvideo", "-pix_fmt", name, "-fps_mode", "passthrough", "-")
    theirs = np.frombuffer(raw, np.uint8).reshape(-1, frame_bytes(first))
    assert len(planes) == len(theirs)
    ours = [np.concatenate([plane.reshape(-1) for plane in one.arrays]) for one in planes]
    return [float(np.abs(one.astype(int) - other).mean()) for one, other in zip(ours, theirs, strict=True)]
