"""Run by the Python of the vendor's own environment, never by ours: exports YOLOv5 and says what the vendor reads.

Networks of the package's YAML files with random weights, spread over decades of scores. Of the float network the
vendor's own letterbox, suppression and inverse give the boxes that an import has to find again.

Arguments: a folder for the results, a photograph (``.npy``, BGR), drawn pictures (N, H, W, 3) that only take part in
the scaling, names of cases. Writes NAME.onnx and NAME.npz each.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}

import numpy as np
import torch
import torchvision_ops  # noqa: F401  before what imports torchvision
from random_weights import answers, logit, noisy, settle
from yolov5 import export
from yolov5.models.yolo import DetectionModel
from yolov5.utils.augmentations import letterbox
from yolov5.utils.general import non_max_suppression, scale_boxes

SCORE_MIN, IOU_MAX, SCORE_MAX = 0.001, 0.45, 0.9
OBJECTS = 250  # anchors of the photograph whose objectness is above SCORE_MIN
NAMES = {0: "bolt", 1: "nut", 2: "washer"}

# name: definition, (height, width), number of classes (None: the definition's), open sides
CASES: dict[str, tuple[str, tuple[int, int], int | None, bool]] = {
    "yolov5n": ("yolov5n.yaml", (256, 256), None, False),
    "yolov5s-three-classes": ("yolov5s.yaml", (448, 512), 3, False),
    "yolov5n6": ("hub/yolov5n6.yaml", (256, 256), None, False),
    "yolov5n-open-input": ("yolov5n.yaml", (256, 256), None, True),
}


def main(folder: Path, photograph: Path, drawn: Path, names: list[str]) -> None:
    frame_bgr, drawn_bgr = np.load(photograph), np.load(drawn)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)  # the same sums in the same order on every machine
    # The package was written for this exporter; torch has taken another one for its default since.
    torch.onnx.export = partial(torch.onnx.export, dynamo=False)
    definitions = Path(export.__file__).with_name("models")
    for name in names:
        started = time.monotonic()
        definition, size_hw, classes, dynamic = CASES[name]
        torch.manual_seed(7)
        model = DetectionModel(str(definitions / definition), nc=classes)
        if classes == len(NAMES):
            model.names = NAMES
        tensor = fed(frame_bgr, size_hw)
        drawn_too = torch.cat([fed(one, size_hw) for one in drawn_bgr])
        spread(model, torch.cat((tensor, drawn_too, drawn_too.flip(1))))  # import shows these in both channel orders
        found = non_max_suppression(model(tensor)[0], SCORE_MIN, IOU_MAX, max_det=300)[0]
        boxes = scale_boxes(size_hw, found[:, :4].clone(), frame_bgr.shape)
        head = model.model[-1]
        head.export, head.dynamic = True, dynamic
        file, _ = export.export_onnx(model, tensor, folder / f"{name}.pt", 12, dynamic, False)
        if not file:
            raise RuntimeError(f"{name}: the vendor's export failed, its log says why")
        np.savez(
            folder / f"{name}.npz",
            boxes_xyxy=boxes.numpy(), scores=found[:, 4].numpy(), class_ids=found[:, 5].numpy().astype(np.int32),
        )  # fmt: skip
        print(f"{name}: {len(found)} boxes, {time.monotonic() - started:.1f} s", flush=True)


def fed(frame_bgr: np.ndarray, size_hw: tuple[int, int]) -> torch.Tensor:
    """As the vendor feeds it: letterboxed, RGB, 0..1, NCHW."""
    shown = letterbox(frame_bgr, size_hw, auto=False)[0]
    return torch.from_numpy(np.ascontiguousarray(shown[..., ::-1].transpose(2, 0, 1)))[None].float() / 255


def spread(model: Any, pictures: torch.Tensor) -> None:
    """Objectness such that scores of the photograph, the first, run from SCORE_MIN on; classes, boxes that differ."""
    settle(model, lambda: model(pictures))
    head = model.model[-1]
    layers = list(head.m)
    noisy(layers)
    rows = [seen.unflatten(1, (head.na, head.no)) for seen in answers(layers, lambda: model(pictures))]
    objects = torch.cat([seen[:, :, 4].flatten(1) for seen in rows], dim=1)
    low, high = float(objects[0].sort().values[-OBJECTS]), float(objects.max())
    for layer, seen in zip(layers, rows, strict=True):
        weight = layer.weight.unflatten(0, (head.na, head.no))  # views: written through
        bias = layer.bias.unflatten(0, (head.na, head.no))
        factor = (logit(SCORE_MAX) - logit(SCORE_MIN)) / (high - low)
        weight[:, 4] *= factor
        bias[:, 4] = (bias[:, 4] - low) * factor + logit(SCORE_MIN)
        for part in (slice(0, 4), slice(5, None)):
            factor = 1.0 / float(seen[:, :, part].std())
            weight[:, part] *= factor
            bias[:, part] = (bias[:, part] - float(seen[:, :, part].mean())) * factor


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:4]), sys.argv[4:] or list(CASES))
