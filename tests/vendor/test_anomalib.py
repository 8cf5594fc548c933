"""Anomaly models as anomalib exports them, against the score, the label and the mask that anomalib finds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support.vendor_agreement import DETECTORS, note, requirement
from support.vendor_env import run_vendor
from vigie import open_model
from vigie.vision.class_masks import GRID
from vigie_devkit.models import import_model

pytestmark = [pytest.mark.vendor, pytest.mark.slow, pytest.mark.timeout(3000)]

CASES = {"padim": 128, "patchcore": 128, "efficient-ad": 256}  # sides


@pytest.fixture(scope="module")
def exports(detectors_python: Path, tmp_path_factory: pytest.TempPathFactory, frame_bgr: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("anomalib")
    photograph = cv2.resize(frame_bgr, (256, 256))
    damaged = photograph.copy()
    cv2.circle(damaged, (150, 110), 30, (255, 0, 255), thickness=-1)
    np.save(folder / "photograph.npy", photograph)
    np.save(folder / "damaged.npy", damaged)
    script = Path(__file__).with_name("processes") / "anomalib_exports.py"
    print(run_vendor(detectors_python, script, folder, folder / "photograph.npy", folder / "damaged.npy"))
    return folder


@pytest.mark.parametrize(("name", "side"), CASES.items(), ids=CASES)
def test_score_label_and_mask_are_those_that_anomalib_finds(
    exports: Path, tmp_path: Path, name: str, side: int
) -> None:
    folder = import_model(exports / name / "weights/onnx/model.onnx", tmp_path / "bundle")
    with np.load(exports / f"{name}.npz") as arrays:
        scores, labels, masks = arrays["scores"], arrays["labels"], arrays["masks"]
    assert labels.tolist() == [False, True], "a model that sees no difference proves nothing"
    alike = 0
    with open_model(folder) as model:
        for at, file in enumerate(("photograph", "damaged")):
            picture_bgr = cv2.resize(np.load(exports / f"{file}.npy"), (side, side))
            asked = model(picture_bgr, score_min=0.0, iou_max=1.0)  # every picture's score
            assert asked.scores[0] == pytest.approx(scores[at], abs=1e-4)
            found = model(picture_bgr, score_min=1e-6, iou_max=1.0)
            assert (len(found) > 0) == labels[at]
            alike += cells_alike(asked.boxes_xyxy[0], asked.class_masks[0], masks[at])
    note("anomaly", requirement(DETECTORS, "anomalib"), name, alike, 2 * GRID * GRID)
    assert masks[1].any()
    assert alike >= 0.999 * 2 * GRID * GRID


def cells_alike(box_xyxy: np.ndarray, class_mask: np.ndarray, inside: np.ndarray) -> int:
    """Cells of the box that say what the vendor's mask says at their middle; none if the mask goes beyond the box."""
    x1, y1, x2, y2 = box_xyxy
    beyond = inside.copy()
    beyond[round(y1) : round(y2), round(x1) : round(x2)] = False
    if beyond.any():
        return 0
    steps = (np.arange(GRID) + 0.5) / GRID
    rows, columns = (y1 + (y2 - y1) * steps).astype(int), (x1 + (x2 - x1) * steps).astype(int)
    return int((inside[np.ix_(rows, columns)] == class_mask).sum())
