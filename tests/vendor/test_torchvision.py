"""Exports that torchvision made itself, against torchvision's own post-processing; run by hand (docs/models.md)."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.vendor_agreement import Found, agreement, through_vigie
from support.vendor_env import run_vendor
from vigie.models import load_bundle
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields

pytestmark = [pytest.mark.vendor, pytest.mark.slow, pytest.mark.timeout(3000)]

SCRIPT = Path(__file__).parent / "processes/torchvision_exports.py"
SCORE_MIN = 0.001
DETECTORS = ("ssdlite320", "fasterrcnn")
CLASSIFIERS = ("resnet18", "mobilenet")


@pytest.fixture(scope="module")
def picture_bgr(frame_bgr: np.ndarray) -> np.ndarray:
    """Of the exported size: torchvision resizes inside the graph, and a resize before it is not what is compared."""
    return cv2.resize(frame_bgr, (320, 320))


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, picture_bgr: np.ndarray) -> Path:
    python = os.environ.get("VIGIE_TORCHVISION_PYTHON")
    if not python:
        pytest.skip("VIGIE_TORCHVISION_PYTHON is not set: torchvision is gigabytes, its exports are compared by hand")
    folder = tmp_path_factory.mktemp("torchvision")
    np.save(folder / "picture.npy", picture_bgr)
    print(run_vendor(Path(python), SCRIPT, folder, folder / "picture.npy", *DETECTORS, *CLASSIFIERS))
    return folder


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_finds_what_torchvision_finds(
    exports: Path, picture_bgr: np.ndarray, tmp_path: Path, name: str
) -> None:
    labels = [f"thing-{index}" for index in range(1, 91)]  # torchvision counts the background as class 0
    folder = import_model(exports / f"{name}.onnx", tmp_path / "bundle", labels=labels)

    ours = through_vigie(folder, picture_bgr, score_min=SCORE_MIN, iou_max=0.45)

    assert load_bundle(folder).card.decoder.params["layout"] == "torchvision"
    with np.load(exports / f"{name}.npz") as arrays:
        vendor = Found(arrays["boxes_xyxy"], arrays["scores"], arrays["class_ids"] - 1)
    seen = agreement(ours, vendor, iou_min=0.99, score_within=1e-3)
    print(f"{name}: {seen}")
    assert seen.vendor > 100
    assert seen.matched >= 0.99 * max(seen.vendor, seen.ours), seen


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_gives_the_class_and_score_of_torchvision(
    exports: Path, picture_bgr: np.ndarray, tmp_path: Path, name: str
) -> None:
    file = exports / f"{name}.onnx"
    folder = import_model(file, tmp_path / "bundle", family="classifier", feed=input_fields("rgb/imagenet"))

    ours = through_vigie(folder, picture_bgr, score_min=0.0, iou_max=0.45)

    with np.load(exports / f"{name}.npz") as arrays:
        scores = arrays["scores"]
    assert ours.class_ids.tolist() == [int(scores.argmax())]
    assert ours.scores[0] == pytest.approx(scores.max(), rel=1e-3)
