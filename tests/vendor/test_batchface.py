"""RetinaFace as batch-face defines it, exported by torch, against what the package itself finds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support.vendor_agreement import DETECTORS, Found, agreement, note, requirement
from support.vendor_env import run_vendor
from vigie import open_model
from vigie_devkit.models import import_model

pytestmark = [pytest.mark.vendor, pytest.mark.slow, pytest.mark.timeout(3000)]

SCORE_MIN, IOU_MAX = 0.35, 1.0
SIDE = 320
BEST = 250  # of more; ours ends at 300, and who is the 250th a rounding may decide


@pytest.fixture(scope="module")
def exports(detectors_python: Path, tmp_path_factory: pytest.TempPathFactory, frame_bgr: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("batchface")
    np.save(folder / "photograph.npy", cv2.resize(frame_bgr, (SIDE, SIDE)))
    script = Path(__file__).with_name("processes") / "batchface_exports.py"
    print(run_vendor(detectors_python, script, folder, folder / "photograph.npy"))
    return folder


@pytest.mark.parametrize("name", ["mobilenet0.25", "resnet50"])
def test_faces_and_landmarks_are_those_that_batch_face_finds(exports: Path, tmp_path: Path, name: str) -> None:
    folder = import_model(exports / f"{name}.onnx", tmp_path / "bundle")
    with open_model(folder) as model:
        found = model(np.load(exports / "photograph.npy"), score_min=SCORE_MIN, iou_max=IOU_MAX)
    with np.load(exports / f"{name}.npz") as arrays:
        boxes, scores = np.clip(arrays["boxes_xyxy"], 0, SIDE)[:BEST], arrays["scores"][:BEST]
        points = np.clip(arrays["points"], 0, SIDE)[:BEST]
    ours = Found(found.boxes_xyxy, found.scores, found.class_ids)
    seen = agreement(ours, Found(boxes, scores, np.zeros(len(scores), np.int32)), iou_min=0.99, score_within=1e-4)
    print(seen)
    note("retinaface", requirement(DETECTORS, "batch-face"), name, seen.matched, seen.vendor)
    assert seen.vendor == BEST
    assert np.ptp(scores) > 0.02, "scores that lie together prove nothing"
    assert seen.matched >= BEST - 1, seen
    assert found.keypoints is not None
    apart = []
    for score, own in zip(scores, points, strict=True):
        nearest = int(np.abs(found.scores - score).argmin())
        if abs(found.scores[nearest] - score) < 1e-6:
            apart.append(float(np.abs(found.keypoints[nearest, :, :2] - own).max()))
    assert len(apart) > 20
    assert np.median(apart) < 0.1
