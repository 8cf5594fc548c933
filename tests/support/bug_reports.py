"""Detectors as public bug reports and model zoos show them: boxes that nobody's convention places, none of ours.

One tiny network; each report is a way to name, cut and number what it gives. The input is square: there x and y, and
the two sides that shares are of, look alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto

from support.models import CLASSES, Graph, anchors, image, tensor

HW: Final = (64, 64)
DONE: Final = (16,)
DENSE: Final = (8, 16, 32)


class Seen:
    """What the network sees in each cell, as pieces (1, K, A) to put together."""

    def __init__(self, seed: int, strides: tuple[int, ...], reach: float) -> None:
        self.g, self.count = Graph(seed, reach), anchors(HW, strides)
        rows = self.g.features("images", strides, 5 + CLASSES)
        self.centres = str(self.g.on_grid(rows, HW, strides))
        self.classes = str(self.g.add("Sigmoid", self.g.slice(rows, 5, 5 + CLASSES, 1)))
        self.angle = str(self.g.add("Tanh", self.g.slice(rows, 4, 5, 1)))
        self.score = str(self.g.add("ReduceMax", self.classes, axes=[1], keepdims=1))
        self.label = str(self.g.add("Cast", self.g.add("ArgMax", self.classes, axis=1), to=TensorProto.FLOAT))
        middle, half = self.g.slice(self.centres, 0, 2, 1), self.times(self.g.slice(self.centres, 2, 4, 1), 0.5)
        low, high = self.g.add("Sub", middle, half), self.g.add("Add", middle, half)
        self.corners = str(self.g.add("Concat", low, high, axis=1))

    def times(self, piece: str, factor: float) -> str:
        return str(self.g.add("Mul", piece, self.g.constant([factor])))

    def plus(self, piece: str, offset: float) -> str:
        return str(self.g.add("Add", piece, self.g.constant([offset])))

    def y_first(self, piece: str) -> str:
        return str(self.g.add("Gather", piece, self.g.constant([1, 0, 3, 2], np.int64), axis=1))

    def rows(self, *pieces: str) -> str:
        """(1, A, K)"""
        together = self.g.add("Concat", *pieces, axis=1) if len(pieces) > 1 else pieces[0]
        return str(self.g.add("Transpose", together, perm=[0, 2, 1]))


Parts = Mapping[str, tuple[str, tuple[int, ...], int]]
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def _yolov3(see: Seen) -> Parts:
    """Ultralytics' yolov3 of 2020: scores and centres as shares, without a batch (issues 750, 1109, 1163)."""
    shares = see.times(see.centres, 1 / 64)
    return {
        "classes": (see.rows(see.classes), (see.count, CLASSES), FLOAT),
        "boxes": (see.rows(shares), (see.count, 4), FLOAT),
    }


def _yolov4(see: Seen) -> Parts:
    """pytorch-YOLOv4: corners as shares, with an axis of their own."""
    shares = see.times(see.corners, 1 / 64)
    return {
        "boxes": (see.rows(shares), (1, see.count, 1, 4), FLOAT),
        "confs": (see.rows(see.classes), (1, see.count, CLASSES), FLOAT),
    }


def _efficientdet(see: Seen) -> Parts:
    """AutoML's EfficientDet: image, corners with y first, score, class from 1."""
    batch = see.times(see.score, 0.0)
    table = see.rows(batch, see.y_first(see.corners), see.score, see.plus(see.label, 1.0))
    return {"detections": (table, (1, see.count, 7), FLOAT)}


def _efficientdet_of_torch(see: Seen) -> Parts:
    """Corners in pixels, score, class from 1 (rwightman/efficientdet-pytorch, issue 231)."""
    return {
        "detections": (see.rows(see.corners, see.score, see.plus(see.label, 1.0)), (1, see.count, 6), FLOAT),
    }


def _y_first(see: Seen) -> Parts:
    """The same with y first and classes from 0."""
    return {"detections": (see.rows(see.y_first(see.corners), see.score, see.label), (1, see.count, 6), FLOAT)}


def _rotated(see: Seen) -> Parts:
    """MMRotate: centre, size, angle, score, under the names of mmdeploy's upright boxes."""
    table = see.rows(see.centres, see.angle, see.score)
    return {"dets": (table, (1, see.count, 6), FLOAT), "labels": (see.label, (1, see.count), INT64)}


def _otx(see: Seen) -> Parts:
    """OpenVINO's training extensions: corners and score in one output, without a batch."""
    table = see.rows(see.corners, see.score)
    return {"boxes": (table, (see.count, 5), FLOAT), "labels": (see.label, (see.count,), INT64)}


def _per_class(see: Seen) -> Parts:
    """MMDetection before mmdeploy: a list for each class (open-mmlab/mmdetection, issue 6660)."""
    g = see.g
    lists = [see.rows(see.corners, g.slice(see.classes, at, at + 1, 1)) for at in range(CLASSES)]
    return {"dets": (str(g.add("Concat", *lists, axis=0)), (CLASSES, see.count, 5), FLOAT)}


def _tao(see: Seen) -> Parts:
    """NVIDIA TAO's BatchedNMS: corners as shares, scores, classes, numbered outputs."""
    shares = see.times(see.corners, 1 / 64)
    return {
        "BatchedNMS_1": (see.rows(shares), (1, see.count, 4), FLOAT),
        "BatchedNMS_2": (see.score, (1, see.count), FLOAT),
        "BatchedNMS_3": (see.label, (1, see.count), FLOAT),
    }


def _zoo_ssd(see: Seen) -> Parts:
    """The model zoo's SSD-ResNet34: corners as shares, classes from 1."""
    shares = see.times(see.corners, 1 / 64)
    return {
        "bboxes": (see.rows(shares), (1, see.count, 4), FLOAT),
        "labels": (see.plus(see.label, 1.0), (1, see.count), INT64),
        "scores": (see.score, (1, see.count), FLOAT),
    }


def _detectron(see: Seen) -> Parts:
    """Detectron2: classes from 0 under shapes that torchvision has, where they count from 1."""
    return {
        "pred_boxes": (see.rows(see.corners), (see.count, 4), FLOAT),
        "pred_classes": (see.label, (see.count,), INT64),
        "scores": (see.score, (see.count,), FLOAT),
    }


# what to build, the strides of its cells, what its weights want
REPORTS: Final[dict[str, tuple[Callable[[Seen], Parts], tuple[int, ...], float]]] = {
    "yolov3-ultralytics": (_yolov3, DENSE, 1.0),
    "yolov4-pytorch": (_yolov4, DENSE, 1.0),
    "efficientdet-automl": (_efficientdet, DONE, 1.0),
    "efficientdet-pytorch": (_efficientdet_of_torch, DONE, 1.0),
    "y-first": (_y_first, DONE, 1.0),
    "mmrotate": (_rotated, DONE, 255.0),
    "openvino-training": (_otx, DONE, 255.0),
    "mmdetection-per-class": (_per_class, DONE, 1.0),
    "tao-batched-nms": (_tao, DONE, 1.0),
    "zoo-ssd": (_zoo_ssd, DONE, 1.0),
    "detectron2": (_detectron, DONE, 255.0),
}


def build(report: str) -> onnx.ModelProto:
    make, strides, reach = REPORTS[report]
    see = Seen(200 + list(REPORTS).index(report), strides, reach)
    outputs = []
    for name, (piece, shape, kind) in make(see).items():
        shaped = see.g.add("Reshape", piece, see.g.constant(shape, np.int64))
        see.g.add("Cast", shaped, to=kind, name=name)
        outputs.append(tensor(name, shape, kind))
    return see.g.model([image(HW)], outputs)
