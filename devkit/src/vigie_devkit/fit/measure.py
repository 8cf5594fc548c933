"""The costs of a frame on this machine, of the product's own code: CPU time, which load leaves nearly alone."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.models import Bundle
from vigie.runtimes.threads import threads_available
from vigie.vision.letterbox import letterbox_into
from vigie_devkit.fit.rules import Costs
from vigie_devkit.models.bench import BenchResult
from vigie_devkit.models.pictures import scene

FRAMES = 60


def measure_costs(bundle: Bundle, benched: BenchResult, *, size_hw: tuple[int, int], clip: Path | None) -> Costs:
    """Args: benched: of that bundle, on this machine. clip: video of the camera; None = a drawn scene, coded by H.264.

    Raises: ValueError: nothing can serve the model here, or the clip has no frames.
    """
    if benched.chosen is None:
        raise ValueError(f"nothing can serve {benched.model} here: see ./vigie doctor")
    line = next(one for one in benched.candidates if one.candidate == benched.chosen)
    if line.figures is None:
        raise ValueError(f"{benched.chosen} has no figures")
    decode_ms, frame_bgr = decode_cost(clip.read_bytes() if clip else drawn_clip(size_hw))
    card = bundle.card.input
    return Costs(
        decode_ms=round(decode_ms, 3),
        preprocess_ms=round(preprocess_cost(frame_bgr, (card.height, card.width)), 3),
        model_cpu_ms=line.figures.cpu_ms,
        model_ms=round(1e3 / line.figures.per_s, 3),
        engine=line.candidate,
        on_cpu=is_cpu(line.candidate),
        tensor_bytes=card.height * card.width * 3,
        cores=threads_available(),
        where=_where(frame_bgr.shape[:2]),
    )


def is_cpu(key: str) -> bool:
    """Of a candidate's key: a device other than the CPU is named in it, or is the provider's only one."""
    provider = key.partition("/")[0]
    return ":" not in provider and provider not in {"qnn-htp", "kserve"}


def decode_cost(video: bytes) -> tuple[float, NDArray[np.uint8]]:
    """CPU ms of a frame, decoded as the camera module does with one thread; and the last frame as BGR."""
    import av

    count, last = 0, None
    with av.open(io.BytesIO(video), "r") as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        begun = time.process_time()
        for frame in container.decode(stream):
            count, last = count + 1, frame
        took_s = time.process_time() - begun
    if last is None:
        raise ValueError("the clip has no frame")
    return took_s * 1e3 / count, np.asarray(last.to_ndarray(format="bgr24"), np.uint8)


def preprocess_cost(frame_bgr: NDArray[np.uint8], tensor_hw: tuple[int, int]) -> float:
    """CPU ms to fit a frame into the model's input, on one thread as preprocess does it."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    tensor = np.empty((*tensor_hw, 3), np.uint8)
    try:
        letterbox_into(frame_bgr, tensor, align="centre")
        begun = time.process_time()
        for _ in range(FRAMES):
            letterbox_into(frame_bgr, tensor, align="centre")
        return (time.process_time() - begun) * 1e3 / FRAMES
    finally:
        cv2.setNumThreads(threads)


def drawn_clip(size_hw: tuple[int, int]) -> bytes:
    """H.264 of a drawn scene that moves: cheaper than a noisy camera, which is why a clip of one may be given."""
    import av

    height, width = size_hw
    still = cv2.resize(scene((360, 640), seed=7), (width, height))
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast"}
        for number in range(FRAMES):
            moved = np.ascontiguousarray(np.roll(still, 6 * number, axis=1), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="bgr24")))
        container.mux(stream.encode())
    return written.getvalue()


def _where(hw: tuple[int, ...]) -> str:
    cores, load = threads_available(), os.getloadavg()[0]
    return f"this machine ({cores} cores, load {load:.1f}), {hw[1]}x{hw[0]} frames, {time.strftime('%Y-%m-%d')}"
