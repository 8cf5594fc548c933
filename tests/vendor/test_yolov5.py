"""YOLOv5 as its own package exports it, against the package's own letterbox, suppression and inverse."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support.vendor_agreement import DETECTORS, Found, agreement, note, requirement, through_vigie
from support.vendor_env import run_vendor
from vigie.models import load_bundle
from vigie_devkit.models import import_model
from vigie_devkit.models.pictures import scene

pytestmark = [pytest.mark.vendor, pytest.mark.slow, pytest.mark.timeout(3000)]

SCORE_MIN, IOU_MAX = 0.001, 0.45
# name, the size that import has to be told
CASES = [
    ("yolov5n", None),
    ("yolov5s-three-classes", None),
    ("yolov5n6", None),
    ("yolov5n-open-input", (256, 256)),
]


@pytest.fixture(scope="module")
def exports(detectors_python: Path, tmp_path_factory: pytest.TempPathFactory, frame_bgr: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("yolov5")
    # Of sides that the tensor's divide: the vendor's way back forgets how its letterbox rounded.
    np.save(folder / "photograph.npy", cv2.resize(frame_bgr, (1024, 768)))
    np.save(folder / "drawn.npy", np.stack([scene((256, 256), seed=seed) for seed in (7, 8)]))
    script = Path(__file__).with_name("processes") / "yolov5_exports.py"
    print(run_vendor(detectors_python, script, folder, folder / "photograph.npy", folder / "drawn.npy"))
    return folder


@pytest.mark.parametrize(("name", "size_hw"), CASES, ids=[name for name, _ in CASES])
def test_a_detector_finds_what_its_vendor_finds(
    exports: Path, tmp_path: Path, name: str, size_hw: tuple[int, int] | None
) -> None:
    folder = import_model(exports / f"{name}.onnx", tmp_path / "bundle", size_hw=size_hw)
    ours = through_vigie(folder, np.load(exports / "photograph.npy"), score_min=SCORE_MIN, iou_max=IOU_MAX)
    card = load_bundle(folder).card
    assert card.decoder.family == "yolov5"
    assert card.labels_from == "metadata"
    with np.load(exports / f"{name}.npz") as arrays:
        vendor = Found(arrays["boxes_xyxy"], arrays["scores"], arrays["class_ids"])
    seen = agreement(ours, vendor, iou_min=0.99, score_within=1e-4)
    note("yolov5", requirement(DETECTORS, "yolov5"), name, seen.matched, seen.vendor)
    assert seen.vendor > 100
    assert np.ptp(vendor.scores) > 0.1, "scores that lie together prove nothing"
    assert seen.matched >= 0.98 * max(seen.vendor, seen.ours), seen
