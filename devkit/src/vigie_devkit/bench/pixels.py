"""What a 1080p frame costs between the decoder and the tensor: copy into a ring, resize of planes, colour.

``python -m vigie_devkit.bench.pixels [VIDEO]``; without a video FFmpeg makes one (H.264, 1080p, 4 Mbit/s). CPU time of
this process, the median of interleaved rounds: bare decode, decode and copy, decode, copy and letterbox to 416.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import av
import cv2
import numpy as np

from vigie.contracts.pixels import PixelFormat
from vigie.frames import RingPool, RingWriter
from vigie.frames.picture import lease_frame
from vigie.vision.letterbox import letterbox_into
from vigie.vision.planes import copy_planes, frame_bytes, planes_of
from vigie_devkit.local.frame_folders import temporary_frames
from vigie_devkit.local.paths import frames_root

ROUNDS: Final = 5
FRAMES: Final = 150
BAR_MS: Final = 1.2


class PixelCost(NamedTuple):
    """Milliseconds of CPU per frame. ``beyond``: what camera and preprocess add to the bare decode."""

    decode: float
    with_copy: float
    with_tensor: float

    @property
    def beyond(self) -> float:
        return self.with_tensor - self.decode


def pixel_cost(video: Path, folder: Path, *, rounds: int = ROUNDS, frames: int = FRAMES) -> PixelCost:
    """Measure on ``video``, with rings in ``folder`` (shared memory, for a true figure)."""
    cv2.setNumThreads(1)
    tensor = np.empty((416, 416, 3), np.uint8)
    with av.open(str(video)) as probe:
        stream = probe.streams.video[0]
        pixel_format = PixelFormat("i420", (stream.height, stream.width))
    with (
        RingWriter.open(folder, "bench", slot_bytes=frame_bytes(pixel_format), slots=8, formats=True) as ring,
        RingPool(folder) as pool,
    ):

        def copied(frame: Any) -> Any:
            with ring.frame_slot(pixel_format) as view:
                if view is None:
                    raise RuntimeError("nobody reads this ring, so a slot is always free")
                arrays = [
                    np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
                    for plane in frame.planes
                ]
                copy_planes(arrays, planes_of(view.array, pixel_format))
                return view.commit()

        def fitted(frame: Any) -> None:
            with lease_frame(pool, copied(frame)) as planes:
                letterbox_into(planes, tensor, align="top_left")

        steps: tuple[Callable[[Any], object], ...] = (lambda _frame: None, copied, fitted)
        spent: list[list[float]] = [[], [], []]
        for _ in range(rounds):
            for number, step in enumerate(steps):
                spent[number].append(_round_ms(video, step, frames))
    return PixelCost(*(statistics.median(one) for one in spent))


def make_video(path: Path, size: str = "1920x1080") -> Path:
    """A noisy H.264 of about 4 Mbit/s, as a camera's.

    Raises: OSError: ffmpeg is missing. subprocess.CalledProcessError: it cannot write H.264.
    """
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30,noise=alls=6:allf=t",
         "-frames:v", str(FRAMES), "-c:v", "libx264", "-preset", "veryfast", "-b:v", "4M", "-pix_fmt", "yuv420p",
         str(path)],
        check=True,
    )  # fmt: skip
    return path


def _round_ms(video: Path, step: Callable[[Any], object], frames: int) -> float:
    with av.open(str(video)) as container:
        container.streams.video[0].codec_context.thread_type = "NONE"
        seen, began = 0, time.process_time()
        for frame in container.decode(video=0):
            step(frame)
            seen += 1
            if seen == frames:
                break
        return (time.process_time() - began) / seen * 1e3


def main() -> int:
    """Print the figures; 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("video", type=Path, nargs="?")
    args = parser.parse_args()
    with temporary_frames("pixels", frames_root()) as folder:
        cost = pixel_cost(args.video or make_video(folder / "video.mp4"), folder)
    print(f"decode {cost.decode:.2f} ms, with copy {cost.with_copy:.2f}, with tensor {cost.with_tensor:.2f}")
    print(f"camera and preprocess beyond the bare decode: {cost.beyond:.2f} ms of CPU per frame (bar {BAR_MS})")
    return int(cost.beyond > BAR_MS)


if __name__ == "__main__":
    raise SystemExit(main())
