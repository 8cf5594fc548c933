"""What vision costs on one thread: the letterbox against the bare resize, decode + NMS of a YOLOX output.

``python -m vigie_devkit.bench.vision [--json]``. The two letterbox figures are taken in turns, so that a busy machine
slows both; their ratio has a bar (<= 1.5).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import cv2
import msgspec
import numpy as np

from vigie.models.card import Card
from vigie.vision.decoders import make_decoder
from vigie.vision.letterbox import letterbox_into

FRAME_HW, TENSOR_HW, RESIZED_HW = (1080, 1920), (416, 416), (234, 416)
ANCHORS, CLASSES = 3549, 80


class VisionFigures(msgspec.Struct, frozen=True):
    """Medians in milliseconds. ``crowded``: some 60 objects of 10 boxes each above the threshold."""

    rounds: int
    resize_ms: float
    letterbox_ms: float
    ratio: float
    decode_sparse_ms: float
    decode_crowded_ms: float
    opencv: str
    numpy: str


def measure(rounds: int) -> VisionFigures:
    """Take every figure ``rounds`` times, in turns."""
    cv2.setNumThreads(1)
    frame_bgr = np.random.default_rng(1).integers(0, 256, (*FRAME_HW, 3), np.uint8)
    tensor, inner = np.empty((*TENSOR_HW, 3), np.uint8), np.empty((*RESIZED_HW, 3), np.uint8)
    decoder = make_decoder(_card())
    sparse, crowded = _rows(3, 4), _rows(60, 10)

    def resize() -> None:
        cv2.resize(frame_bgr, RESIZED_HW[::-1], dst=inner, interpolation=cv2.INTER_LINEAR)

    def letterbox() -> None:
        letterbox_into(frame_bgr, tensor, align="centre")

    def decode_sparse() -> None:
        decoder([sparse], score_min=0.4, iou_max=0.45)

    def decode_crowded() -> None:
        decoder([crowded], score_min=0.4, iou_max=0.45)

    resize_ms, letterbox_ms, sparse_ms, crowded_ms = _medians_ms(
        (resize, letterbox, decode_sparse, decode_crowded), rounds
    )
    return VisionFigures(
        rounds,
        round(resize_ms, 4),
        round(letterbox_ms, 4),
        round(letterbox_ms / resize_ms, 3),
        round(sparse_ms, 4),
        round(crowded_ms, 4),
        cv2.__version__,
        np.__version__,
    )


def _medians_ms(calls: tuple[Callable[[], None], ...], rounds: int) -> list[float]:
    taken = np.empty((len(calls), rounds))
    for turn in range(rounds):
        for number, call in enumerate(calls):
            begun = time.perf_counter()
            call()
            taken[number, turn] = time.perf_counter() - begun
    return [float(value) * 1e3 for value in np.median(taken, axis=1)]


def _rows(objects: int, boxes: int) -> np.ndarray:
    """A YOLOX output with ``boxes`` anchors side by side answering for each of ``objects``."""
    rng = np.random.default_rng(2)
    rows = np.zeros((1, ANCHORS, 5 + CLASSES), np.float32)
    rows[..., 4:] = rng.uniform(0, 0.2, (1, ANCHORS, 1 + CLASSES))
    starts = rng.choice(ANCHORS - boxes, objects, replace=False)
    for start in starts:
        rows[0, start : start + boxes, :4] = rng.normal(0, 0.3, 4)
        rows[0, start : start + boxes, 4] = rng.uniform(0.8, 1, boxes)
        rows[0, start : start + boxes, 5 + int(rng.integers(CLASSES))] = 0.9
    return rows


def _card() -> Card:
    tree = {
        "schema": "vigie.card/1",
        "name": "bench",
        "task": "detection",
        "input": {"name": "image_bgr", "height": TENSOR_HW[0], "width": TENSOR_HW[1], "align": "top_left"},
        "outputs": [{"name": "output", "shape": [1, ANCHORS, 5 + CLASSES]}],
        "decoder": {"family": "yolox"},
        "labels": [str(index) for index in range(CLASSES)],
        "variants": {"fp32": {"file": "none.onnx", "sha256": "0" * 64, "precision": "fp32", "opset": 17}},
    }
    return msgspec.convert(tree, Card)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = measure(args.rounds)
    if args.json:
        print(msgspec.json.encode(figures).decode())
        return 0
    for name, value in msgspec.structs.asdict(figures).items():
        print(f"{name:20} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
