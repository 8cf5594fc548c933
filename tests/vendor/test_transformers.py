"""Hugging Face's detectors, exported by torch, against the vendor's own ``post_process_object_detection``."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support.vendor_agreement import Found, agreement, alike_class_masks, note, requirement, through_vigie
from support.vendor_env import run_vendor, vendor_python
from vigie import open_model
from vigie.models import load_bundle
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields

pytestmark = [pytest.mark.vendor, pytest.mark.slow, pytest.mark.timeout(3000)]

HERE = Path(__file__).parent
NAMES = ("bolt", "nut", "washer", "pin", "ring", "disc", "clip")
# name, how the vendor's image processor feeds it, whether the last column of its logits is "no object"
CASES = [
    ("detr", "rgb/imagenet", True),
    ("conditional-detr", "rgb/imagenet", False),
    ("yolos", "rgb/imagenet", True),
    ("rt-detr", "rgb/0..1", False),
    ("rt-detr-v2", "rgb/0..1", False),
    ("d-fine", "rgb/0..1", False),
]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, frame_bgr: np.ndarray) -> Path:
    python = vendor_python(HERE / "transformers.txt", probe="import torch, transformers, onnx, scipy")
    folder = tmp_path_factory.mktemp("transformers")
    np.save(folder / "photograph.npy", cv2.resize(frame_bgr, (256, 256)))  # the vendor's own resize is another filter
    print(run_vendor(python, HERE / "processes/transformers_exports.py", folder, folder / "photograph.npy"))
    return folder


@pytest.mark.parametrize(("name", "feed", "softmax"), CASES, ids=[name for name, _, _ in CASES])
def test_a_detector_finds_what_its_vendor_finds(
    exports: Path, tmp_path: Path, name: str, feed: str, softmax: bool
) -> None:
    folder = import_model(exports / f"{name}.onnx", tmp_path / "bundle", labels=NAMES, feed=input_fields(feed))
    assert load_bundle(folder).card.decoder.params["softmax"] is softmax
    ours = through_vigie(folder, np.load(exports / "photograph.npy"), score_min=0.001, iou_max=1.0)
    with np.load(exports / f"{name}.npz") as arrays:
        boxes = np.clip(arrays["boxes_xyxy"], 0, 256)  # ours end at the picture's edge
        vendor = Found(boxes, arrays["scores"], arrays["class_ids"])
    if not softmax:  # the vendor keeps as many answers as there are queries, of all classes together
        ours = Found(*(part[: len(vendor.scores)] for part in (ours.boxes_xyxy, ours.scores, ours.class_ids)))
    seen = agreement(ours, vendor, iou_min=0.99, score_within=1e-4)
    note("detr", requirement(HERE / "transformers.txt", "transformers"), name, seen.matched, seen.vendor)
    assert seen.vendor >= 50
    assert np.ptp(vendor.scores) > 0.002, "scores that lie together prove nothing"
    assert seen.matched == seen.vendor == seen.ours, seen


def test_a_model_of_semantic_segmentation_sees_the_classes_of_its_vendor(exports: Path, tmp_path: Path) -> None:
    folder = import_model(
        exports / "segformer.onnx", tmp_path / "bundle", labels=NAMES, feed=input_fields("rgb/imagenet")
    )
    with np.load(exports / "segformer.npz") as arrays:
        classes = arrays["classes"]
    with open_model(folder) as model:
        seen = alike_class_masks(model(np.load(exports / "photograph.npy")), classes)
    note("semantic", requirement(HERE / "transformers.txt", "transformers"), "segformer", seen.matched, seen.vendor)
    assert seen.vendor >= 4, seen
    assert seen.matched == seen.vendor == seen.ours, seen
