"""An independent single-process detector: the original YOLOX file, plain loops, nothing of Vigie.

Everything here is written from the model's own description (BGR 0..255, top-left letterbox padded with 114,
strides 8, 16, 32) so that an error in the product cannot hide in both.
"""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

_NAMES = """
person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter bench
bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee skis snowboard
sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass cup fork knife spoon
bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch potted_plant bed dining_table
toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink refrigerator book clock vase scissors
teddy_bear hair_drier toothbrush
"""
NAMES = [name.replace("_", " ") for name in _NAMES.split()]

Found = tuple[str, float, tuple[float, ...]]


class ReferenceDetector:
    """``(label, score, (left, top, right, bottom))`` in frame pixels, best first."""

    def __init__(self, model: Path, *, score: float, iou: float, side: int = 416) -> None:
        self.score, self.iou, self.side = score, iou, side
        self.session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def video(self, path: Path, frames: int) -> list[list[Found]]:
        """Detections of the first ``frames`` frames, coloured at full size by FFmpeg.

        Not by ``cv2.VideoCapture``: its fast conversion truncates and is darker by 1.3 levels on average, which moves
        scores across the threshold.
        """
        probe = cv2.VideoCapture(str(path))
        width, height = int(probe.get(cv2.CAP_PROP_FRAME_WIDTH)), int(probe.get(cv2.CAP_PROP_FRAME_HEIGHT))
        probe.release()
        flags = "bilinear+accurate_rnd+full_chroma_int+full_chroma_inp"
        words = ["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", str(frames), "-sws_flags", flags]
        with subprocess.Popen([*words, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"], stdout=subprocess.PIPE) as decoding:
            assert decoding.stdout is not None
            found = []
            while len(raw := decoding.stdout.read(width * height * 3)) == width * height * 3:
                found.append(self.frame(np.frombuffer(raw, np.uint8).reshape(height, width, 3)))
            return found

    def frame(self, frame: np.ndarray) -> list[Found]:
        """Detections of one BGR frame."""
        tensor, ratio = self.fit(frame)
        rows = self.session.run(None, {self.input: tensor})[0][0].astype(np.float64)
        return self.suppress(self.decode(rows, ratio, frame.shape[0], frame.shape[1]))

    def fit(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        height, width = frame.shape[:2]
        ratio = min(self.side / height, self.side / width)
        canvas = np.full((self.side, self.side, 3), 114, np.uint8)
        small = cv2.resize(frame, (int(width * ratio), int(height * ratio)), interpolation=cv2.INTER_LINEAR)
        canvas[: small.shape[0], : small.shape[1]] = small
        return canvas.transpose(2, 0, 1)[None].astype(np.float32), ratio

    def decode(self, rows: np.ndarray, ratio: float, height: int, width: int) -> list[Found]:
        found: list[Found] = []
        anchor = 0
        for stride in (8, 16, 32):
            for row in range(self.side // stride):
                for column in range(self.side // stride):
                    values = rows[anchor]
                    anchor += 1
                    if values[4] < self.score:
                        continue
                    best = max(range(5, len(values)), key=lambda index: values[index])
                    score = values[4] * values[best]
                    if score < self.score:
                        continue
                    x, y = (values[0] + column) * stride, (values[1] + row) * stride
                    w, h = math.exp(values[2]) * stride, math.exp(values[3]) * stride
                    corners = ((x - w / 2) / ratio, (y - h / 2) / ratio, (x + w / 2) / ratio, (y + h / 2) / ratio)
                    limits = (width, height, width, height)
                    box = tuple(min(max(side, 0.0), limit) for side, limit in zip(corners, limits, strict=True))
                    found.append((NAMES[best - 5], float(score), box))
        assert anchor == len(rows)
        return found

    def suppress(self, found: list[Found]) -> list[Found]:
        kept: list[Found] = []
        for one in sorted(found, key=lambda item: -item[1]):
            if all(one[0] != other[0] or overlap(one[2], other[2]) <= self.iou for other in kept):
                kept.append(one)
        return kept


def overlap(left: tuple[float, ...], right: tuple[float, ...]) -> float:
    """Intersection over union of two corner boxes."""
    wide = min(left[2], right[2]) - max(left[0], right[0])
    high = min(left[3], right[3]) - max(left[1], right[1])
    if wide <= 0 or high <= 0:
        return 0.0
    shared = wide * high
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (left, right)]
    return shared / (areas[0] + areas[1] - shared)
