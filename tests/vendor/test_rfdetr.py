"""RF-DETR as its own package exports it, against what the package's own ``predict`` finds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support.vendor_agreement import DETECTORS, Found, agreement, note, requirement, through_vigie
from support.vendor_env import run_vendor
from vigie.models import load_bundle
from vigie_devkit.models import import_model

pytestmark = [pytest.mark.vendor, pytest.mark.slow, pytest.mark.timeout(3000)]

# name, classes of its training; of segmentation import reads the boxes
CASES = [("nano-seven-classes", 7), ("nano-coco", 90), ("seg-nano-seven-classes", 7)]


@pytest.fixture(scope="module")
def exports(detectors_python: Path, tmp_path_factory: pytest.TempPathFactory, frame_bgr: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("rfdetr")
    np.save(folder / "photograph.npy", cv2.resize(frame_bgr, (512, 512)))
    script = Path(__file__).with_name("processes") / "rfdetr_exports.py"
    print(run_vendor(detectors_python, script, folder, folder / "photograph.npy"))
    return folder


@pytest.mark.parametrize(("name", "classes"), CASES, ids=[name for name, _ in CASES])
def test_a_detector_finds_what_its_vendor_finds(exports: Path, tmp_path: Path, name: str, classes: int) -> None:
    labels = [f"class-{index}" for index in range(classes)] + ["background"]
    folder = import_model(exports / f"{name}.onnx", tmp_path / "bundle", labels=labels)
    assert load_bundle(folder).card.decoder.family == "detr"
    with np.load(exports / f"{name}.npz") as arrays:
        vendor, size = Found(arrays["boxes_xyxy"], arrays["scores"], arrays["class_ids"]), int(arrays["size"])
    picture_bgr = np.ascontiguousarray(np.load(exports / "photograph.npy")[:size, :size])  # no resize in between
    ours = through_vigie(folder, picture_bgr, score_min=0.001, iou_max=1.0)
    kept = len(vendor.scores)  # as many answers as there are queries, of all classes together
    ours = Found(ours.boxes_xyxy[:kept], ours.scores[:kept], ours.class_ids[:kept])
    seen = agreement(ours, vendor, iou_min=0.99, score_within=1e-4)
    print(seen)
    note("detr", requirement(DETECTORS, "rfdetr"), name, seen.matched, seen.vendor)
    assert seen.vendor >= 100
    assert np.ptp(vendor.scores) > 0.05, "scores that lie together prove nothing"
    assert len(set(vendor.class_ids.tolist())) >= 4
    assert seen.matched >= 0.99 * max(seen.vendor, seen.ours), seen
