"""CPU per frame of the motion gate and what it saves, on encoded scenes: ``python -m support.motion_bench``.

Scenes: still with a sensor's noise; a lamp switched on; leaves in the wind; a small thing that crosses. Decoding is not
counted. The median over frames: a busy machine makes some of them slow.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vigie.synthetic import open_scene
from vigie_camera.config import MotionGate
from vigie_camera.decode.backend import VideoOptions
from vigie_camera.decode.choice import load_backend
from vigie_camera.decode.motion import MotionDetector

FPS = 15
SCENES = ("still", "lamp", "leaves", "crossing")


def frames(scene: str, size_wh: tuple[int, int], seconds: float, noise: float = 1.5) -> Iterator[NDArray[np.uint8]]:
    """BGR frames; what happens, happens from second 8 on."""
    width, height = size_wh
    base = open_scene(f"synthetic://conveyor?seed=3&size={width}x{height}").render(20).astype(np.float32)
    random = np.random.default_rng(7)
    leaves = np.zeros((height, width, 1), np.float32)
    leaves[: height // 3, : width // 3] = 1
    for number in range(int(seconds * FPS)):
        at_s = number / FPS
        picture = base.copy()
        if scene == "lamp" and at_s >= 8:
            picture[:, width // 2 :] = picture[:, width // 2 :] * 1.3 + 25
        if scene == "leaves":
            picture += leaves * 18 * np.sin(at_s * 5 + np.arange(width)[None, :, None] / 3)
        if scene == "crossing" and 8 <= at_s < 12:
            left = int((at_s - 8) / 4 * (width - width // 20))
            picture[height // 2 : height // 2 + height // 12, left : left + width // 20] = (40, 60, 160)
        picture += random.standard_normal((height, width, 1), np.float32) * noise
        yield np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def encode(path: Path, scene: str, size_wh: tuple[int, int], seconds: float, words: str) -> Path:
    given = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{size_wh[0]}x{size_wh[1]}", "-r", str(FPS), "-i", "-"]
    done = ["ffmpeg", "-v", "error", "-y", *given, *words.split(), "-pix_fmt", "yuv420p", path]
    with subprocess.Popen(done, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for frame in frames(scene, size_wh, seconds):
            process.stdin.write(frame.tobytes())
        process.stdin.close()
    assert process.returncode == 0
    return path


def gate(path: Path, settings: MotionGate) -> tuple[list[bool], float]:
    """Which frames pass, and the median of CPU seconds per frame."""
    video, motion = load_backend("pyav").open(str(path), VideoOptions(live=False)), MotionDetector(settings)
    passed: list[bool] = []
    cpu_s: list[float] = []
    while (frame := video.next()) is not None:
        begun = time.process_time()
        passed.append(motion.passes(frame.arrays[0], len(passed) / FPS))
        cpu_s.append(time.process_time() - begun)
    video.close()
    return passed, float(np.median(cpu_s))


def main() -> None:
    small, large = (640, 360), (1920, 1080)
    runs = [*((small, scene, 26) for scene in SCENES), (small, "still", 34), (large, "still", 26)]
    with tempfile.TemporaryDirectory() as folder:
        for size_wh, scene, quality in runs:
            words = f"-c:v libx264 -preset ultrafast -crf {quality} -g 30"
            passed, cpu_s = gate(encode(Path(folder) / "clip.mkv", scene, size_wh, 20, words), MotionGate())
            by_second = [sum(passed[at : at + FPS]) for at in range(0, len(passed), FPS)]
            sys.stdout.write(
                f"{size_wh[0]}x{size_wh[1]} {scene:9s} crf {quality}: {cpu_s * 1000:.2f} ms of CPU per frame; "
                f"passed by second: {by_second}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
