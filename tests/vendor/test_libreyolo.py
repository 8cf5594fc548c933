"""Detectors as libreyolo exports them, against what the package's own ``predict`` finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.vendor_agreement import DETECTORS, Found, agreement, note, requirement, through_vigie
from support.vendor_env import run_vendor
from vigie.models import load_bundle
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.pictures import scene

pytestmark = [pytest.mark.vendor, pytest.mark.slow, pytest.mark.timeout(3000)]

SCORE_MIN, IOU_MAX = 0.001, 1.0
# name, family, how the vendor feeds it
CASES = [
    ("yolo-nas-s", "dense", "rgb/0..1"),
    ("pp-yoloe-s", "dense", "rgb/imagenet"),
    ("d-fine-n", "detr", "rgb/0..1"),
    ("deim-n", "detr", "rgb/0..1"),
    ("rt-detr-v2-r18", "detr", "rgb/0..1"),
]


@pytest.fixture(scope="module")
def exports(detectors_python: Path, tmp_path_factory: pytest.TempPathFactory, frame_bgr: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("libreyolo")
    np.save(folder / "photograph.npy", frame_bgr)
    np.save(folder / "drawn.npy", np.stack([scene((256, 256), seed=seed) for seed in (7, 8)]))
    script = Path(__file__).with_name("processes") / "libreyolo_exports.py"
    print(run_vendor(detectors_python, script, folder, folder / "photograph.npy", folder / "drawn.npy"))
    return folder


@pytest.mark.parametrize(("name", "family", "feed"), CASES, ids=[name for name, _, _ in CASES])
def test_a_detector_finds_what_its_vendor_finds(
    exports: Path, tmp_path: Path, name: str, family: str, feed: str
) -> None:
    folder = import_model(exports / f"{name}.onnx", tmp_path / "bundle", feed=input_fields(feed))
    assert load_bundle(folder).card.decoder.family == family
    with np.load(exports / f"{name}.npz") as arrays:
        picture_bgr, boxes = arrays["frame_bgr"], arrays["boxes_xyxy"]
        vendor = Found(np.clip(boxes, 0, len(picture_bgr)), arrays["scores"], arrays["class_ids"])
    ours = through_vigie(folder, picture_bgr, score_min=SCORE_MIN, iou_max=IOU_MAX)
    if family == "dense":  # the vendor leaves out what has no area inside the picture
        inside = (ours.boxes_xyxy[:, 2:] > ours.boxes_xyxy[:, :2]).all(axis=1)
        ours = Found(ours.boxes_xyxy[inside], ours.scores[inside], ours.class_ids[inside])
    seen = agreement(ours, vendor, iou_min=0.99, score_within=1e-3)
    print(seen)
    note(family, requirement(DETECTORS, "libreyolo"), name, seen.matched, seen.vendor)
    assert seen.vendor > 100
    assert np.ptp(vendor.scores) > 0.05, "scores that lie together prove nothing"
    assert seen.matched >= 0.98 * max(seen.vendor, seen.ours), seen
