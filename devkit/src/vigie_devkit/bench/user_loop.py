"""What a user would write in place of Vigie: a loop of cv2 and onnxruntime, alone or from a pool of threads.

``python user_loop.py VIDEO MODEL SECONDS THREADS [WORKERS]`` prints frames per second and CPU milliseconds per frame.
It is run by its path, so that nothing of Vigie is imported. THREADS 0: onnxruntime's default. With WORKERS one session
is called from that many Python threads. Boxes of a YOLOX export are decoded; what other models give is left as it is.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort


class UserDetector:
    """One session and what is around it: letterbox, layout, boxes."""

    def __init__(self, model: str, threads: int) -> None:
        options = ort.SessionOptions()
        if threads:
            options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        entry = self.session.get_inputs()[0]
        self.name, self.planar = entry.name, entry.shape[1] == 3
        self.height, self.width = entry.shape[2:] if self.planar else entry.shape[1:3]
        self.dtype = np.uint8 if entry.type == "tensor(uint8)" else np.float32
        grids, steps = [], []
        for stride in (8, 16, 32):
            x, y = np.meshgrid(np.arange(self.width // stride), np.arange(self.height // stride))
            grids.append(np.stack((x, y), 2).reshape(-1, 2))
            steps.append(np.full((x.size, 1), stride))
        self.grid, self.step = np.concatenate(grids).astype(np.float32), np.concatenate(steps).astype(np.float32)

    def work(self, frame: Any) -> str:
        """One frame of BGR to JSON."""
        ratio = min(self.height / frame.shape[0], self.width / frame.shape[1])
        small = cv2.resize(frame, (int(frame.shape[1] * ratio), int(frame.shape[0] * ratio)))
        canvas = np.full((self.height, self.width, 3), 114, np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        picture = canvas.transpose(2, 0, 1) if self.planar else canvas
        tensor = np.ascontiguousarray(picture[None], dtype=self.dtype)
        rows = self.session.run(None, {self.name: tensor})[0][0]
        if rows.ndim != 2 or len(rows) != len(self.grid):
            return ""
        scores = rows[:, 4:5] * rows[:, 5:]
        label, best = scores.argmax(1), scores.max(1)
        keep = best > 0.4
        if not keep.any():
            return "[]"
        middle, size = (rows[keep, :2] + self.grid[keep]) * self.step[keep], np.exp(rows[keep, 2:4]) * self.step[keep]
        boxes = np.concatenate((middle - size / 2, size), 1) / ratio
        chosen = cv2.dnn.NMSBoxesBatched(boxes.tolist(), best[keep].tolist(), label[keep].tolist(), 0.4, 0.45)
        return json.dumps([[int(label[keep][i]), float(best[keep][i]), boxes[i].tolist()] for i in chosen])


def main(video: str, model: str, seconds: str, threads: str, workers: str = "0") -> None:
    detector, capture = UserDetector(model, int(threads)), cv2.VideoCapture(video)
    waiting: deque[Future[str]] = deque()
    done = 0
    with ThreadPoolExecutor(max(1, int(workers))) as pool:
        detector.work(np.zeros((360, 640, 3), np.uint8))  # what only the first run costs
        begun, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() < begun + float(seconds):
            more, frame = capture.read()
            if not more:
                if not capture.set(cv2.CAP_PROP_POS_FRAMES, 0) or not capture.isOpened():
                    raise SystemExit(f"{video} cannot be read")
                continue
            if int(workers):
                waiting.append(pool.submit(detector.work, frame))
                if len(waiting) > 2 * int(workers):
                    waiting.popleft().result()
            else:
                detector.work(frame)
            done += 1
        while waiting:
            waiting.popleft().result()
        elapsed, spent = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"fps": done / elapsed, "cpu_ms": spent / max(1, done) * 1e3}))


if __name__ == "__main__":
    main(*sys.argv[1:])
