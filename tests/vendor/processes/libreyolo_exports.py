"""Run by the Python of the vendor's own environment, never by ours: exports detectors and says what libreyolo finds.

Its definitions of YOLO-NAS, PP-YOLOE and of the DETR family, with random weights whose answers differ. The vendor's own
``predict`` of the float network gives the boxes that an import of its own export has to find again. Nothing is
suppressed: of dense heads the vendor clips boxes to the picture first, which moves overlaps.

Arguments: a folder for the results, a photograph (``.npy``, BGR), drawn pictures (``.npy``, N of them), names of cases.
Writes NAME.onnx and NAME.npz each; the latter holds the photograph at the network's size, so that nobody resizes.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torchvision_ops  # noqa: F401  before what imports torchvision

# isort: split
import cv2
import libreyolo
import numpy as np
import torch
from libreyolo.postprocess import ppyoloe
from random_weights import answers, logit, noisy, rescale, settle

SCORE_MIN, IOU_MAX, SCORE_MAX = 0.001, 1.0, 0.9
CLASSES = 7
SEEN = 280  # boxes of the photograph above SCORE_MIN, of a dense head

# name: class, variant, side of the input, layers of classes and of distances (a dense head)
CASES: dict[str, tuple[str, str, int, tuple[str, str] | None]] = {
    "yolo-nas-s": ("LibreYOLONAS", "s", 256, ("cls_pred", "reg_pred")),
    "pp-yoloe-s": ("LibrePPYOLOE", "s", 256, ("pred_cls", "pred_reg")),
    "d-fine-n": ("LibreDFINE", "n", 640, None),
    "deim-n": ("LibreDEIM", "n", 640, None),
    "rt-detr-v2-r18": ("LibreRTDETRv2", "r18", 640, None),
}


def main(folder: Path, photograph: Path, drawn: Path, names: list[str]) -> None:
    photograph_bgr, drawn_bgr = np.load(photograph), np.load(drawn)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    # One class of a box, as everywhere else; its default answers with every class above the score.
    ppyoloe.postprocess = partial(ppyoloe.postprocess, multi_label=False)
    for name in names:
        started = time.monotonic()
        kind, variant, side, dense = CASES[name]
        frame_bgr = cv2.resize(photograph_bgr, (side, side))
        torch.manual_seed(7)
        model = getattr(libreyolo, kind)(model_path=None, size=variant, nb_classes=CLASSES, device="cpu")
        model.model.eval()
        shown = partial(model.predict, conf=SCORE_MIN, iou=IOU_MAX, imgsz=side, max_det=300, color_format="bgr")
        # Import shows the drawn ones, in both channel orders: with statistics of the photograph alone they saturate.
        drawn_too = [cv2.resize(one, (side, side)) for one in drawn_bgr]
        views = (frame_bgr, *drawn_too, *(one[..., ::-1] for one in drawn_too))
        run = partial(model.model, torch.cat([fed(model.model, partial(shown, one)) for one in views]))
        settle(model.model, run)
        if dense:
            spread_dense(model.model, *dense, run)
        else:
            spread_queries(model.model)
        found = shown(frame_bgr).boxes
        model.export(format="onnx", imgsz=side, output_path=str(folder / f"{name}.onnx"), simplify=False)
        np.savez(
            folder / f"{name}.npz", frame_bgr=frame_bgr, boxes_xyxy=found.xyxy.numpy(), scores=found.conf.numpy(),
            class_ids=found.cls.numpy().astype(np.int32),
        )  # fmt: skip
        print(f"{name}: {len(found)} boxes, {time.monotonic() - started:.1f} s", flush=True)


def fed(network: Any, run: Any) -> torch.Tensor:
    """What the vendor's own ``predict`` gives to the network."""
    seen: list[torch.Tensor] = []
    hook = network.register_forward_pre_hook(lambda _network, given: seen.append(given[0]))
    run()
    hook.remove()
    return seen[0]


def spread_dense(network: Any, classes: str, distances: str, run: Any) -> None:
    """Class logits such that scores run from SCORE_MIN to SCORE_MAX; distances that differ."""
    layers = named(network, classes)
    noisy(layers)
    best = torch.cat([seen.amax(1).flatten(1) for seen in answers(layers, run)], dim=1)  # of the photograph first
    low, high = float(best[0].sort().values[-SEEN]), float(best.max())
    rescale(layers, (logit(SCORE_MAX) - logit(SCORE_MIN)) / (high - low), low, logit(SCORE_MIN))
    for layer in named(network, distances):
        noisy([layer])
        (seen,) = answers([layer], run)
        rescale([layer], 1.0 / float(seen.std()), float(seen.mean()), 0.0)


def named(network: Any, part: str) -> list[Any]:
    """The convolutions of this name, in each level."""
    return [
        layer
        for name, layer in network.named_modules()
        if part in name.split(".") and isinstance(layer, torch.nn.Conv2d)
    ]


def spread_queries(network: Any) -> None:
    for name, values in network.named_parameters():
        if "score_head" in name and name.endswith("weight"):
            values.copy_(torch.randn_like(values) * 0.25)
        elif "bbox_head" in name and "layers.2.weight" in name:
            values.copy_(torch.randn_like(values) * 0.15)


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:4]), sys.argv[4:] or list(CASES))
