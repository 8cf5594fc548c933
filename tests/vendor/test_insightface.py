"""SCRFD as InsightFace's own package reads it: networks of ours with its outputs, and random weights."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from support import by_stride, models
from support.vendor_agreement import Found, agreement, note, requirement
from support.vendor_env import run_vendor, vendor_python
from vigie import open_model
from vigie_devkit.models import import_model

pytestmark = [pytest.mark.vendor, pytest.mark.slow, pytest.mark.timeout(3000)]

HERE = Path(__file__).parent
SCORE_MIN, IOU_MAX = 0.35, 1.0
BEST = 250  # of a thousand faces; ours ends at 300, and who is the 250th a rounding may decide
CASES = {
    "scrfd": partial(by_stride.scrfd, landmarks=False, hw=(256, 256), scale=0.15),
    "scrfd-landmarks": partial(by_stride.scrfd, hw=(256, 256), scale=0.15),
    "scrfd-five-levels": partial(by_stride.scrfd, hw=(256, 256), strides=(8, 16, 32, 64, 128), scale=0.15),
}


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory, frame_bgr: np.ndarray) -> Path:
    python = vendor_python(HERE / "insightface.txt", probe="import cv2, onnx, onnxruntime, requests, tqdm")
    folder = tmp_path_factory.mktemp("insightface")
    np.save(folder / "photograph.npy", cv2.resize(frame_bgr, (512, 512)))  # no rounding of a side
    for name, build in CASES.items():
        models.save(build(), folder, f"{name}.onnx")
    print(run_vendor(python, HERE / "processes/insightface_reads.py", folder, folder / "photograph.npy"))
    return folder


@pytest.mark.parametrize("name", CASES)
def test_faces_and_landmarks_are_those_that_insightface_finds(vendor: Path, tmp_path: Path, name: str) -> None:
    folder = import_model(vendor / f"{name}.onnx", tmp_path / "bundle")
    with open_model(folder) as model:
        found = model(np.load(vendor / "photograph.npy"), score_min=SCORE_MIN, iou_max=IOU_MAX)
    with np.load(vendor / f"{name}.npz") as arrays:
        boxes, scores = np.clip(arrays["boxes_xyxy"], 0, 512)[:BEST], arrays["scores"][:BEST]
        points = arrays["points"][:BEST] if "points" in arrays else None
    ours = Found(found.boxes_xyxy, found.scores, found.class_ids)
    seen = agreement(ours, Found(boxes, scores, np.zeros(len(scores), np.int32)), iou_min=0.99, score_within=1e-3)
    note("scrfd", requirement(HERE / "insightface.txt", "insightface"), name, seen.matched, seen.vendor)
    assert seen.vendor == BEST
    assert np.ptp(scores) > 0.02, "scores that lie together prove nothing"
    assert seen.matched == seen.vendor, seen
    assert (points is None) == (found.keypoints is None)
    if points is not None and found.keypoints is not None:
        apart = []
        for score, own in zip(scores, points, strict=True):
            nearest = int(np.abs(found.scores - score).argmin())
            if abs(found.scores[nearest] - score) < 1e-6:
                apart.append(float(np.abs(found.keypoints[nearest, :, :2] - np.clip(own, 0, 512)).max()))
        assert len(apart) > 20
        assert np.median(apart) < 0.1
