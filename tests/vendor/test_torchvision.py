"""Exports that torchvision made itself, against torchvision's own post-processing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support.vendor_agreement import (
    DETECTORS,
    Found,
    agreement,
    alike_class_masks,
    note,
    requirement,
    through_vigie,
)
from support.vendor_env import run_vendor
from vigie import open_model
from vigie.models import load_bundle
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields

pytestmark = [pytest.mark.vendor, pytest.mark.slow, pytest.mark.timeout(3000)]

SCRIPT = Path(__file__).parent / "processes/torchvision_exports.py"
SCORE_MIN = 0.001
ONE_STAGE_OR_TWO = ("ssdlite320", "fasterrcnn", "ssd300", "retinanet", "fcos")
CLASSIFIERS = ("resnet18", "mobilenet")
SEMANTIC = ("lraspp", "deeplabv3")


@pytest.fixture(scope="module")
def picture_bgr(frame_bgr: np.ndarray) -> np.ndarray:
    """Of the exported size: torchvision resizes inside the graph, and a resize before it is not what is compared."""
    return cv2.resize(frame_bgr, (320, 320))


@pytest.fixture(scope="module")
def exports(detectors_python: Path, tmp_path_factory: pytest.TempPathFactory, picture_bgr: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("torchvision")
    np.save(folder / "picture.npy", picture_bgr)
    print(run_vendor(detectors_python, SCRIPT, folder, folder / "picture.npy"))
    return folder


@pytest.mark.parametrize("name", ONE_STAGE_OR_TWO)
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
    note("ssd", requirement(DETECTORS, "torchvision"), name, seen.matched, seen.vendor)
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
    same = ours.class_ids.tolist() == [int(scores.argmax())]
    note("classifier", requirement(DETECTORS, "torchvision"), name, int(same), 1)
    assert same
    assert ours.scores[0] == pytest.approx(scores.max(), rel=1e-3)


@pytest.mark.parametrize("name", SEMANTIC)
def test_a_model_of_semantic_segmentation_sees_the_classes_of_torchvision(
    exports: Path, picture_bgr: np.ndarray, tmp_path: Path, name: str
) -> None:
    labels = [f"thing-{index}" for index in range(7)]
    family = None if name == "deeplabv3" else "semantic"  # without aux, out may be anything
    folder = import_model(
        exports / f"{name}.onnx", tmp_path / "bundle", labels=labels, family=family, feed=input_fields("rgb/imagenet")
    )
    assert load_bundle(folder).card.decoder.family == "semantic"
    with np.load(exports / f"{name}.npz") as arrays:
        classes = arrays["classes"]
    with open_model(folder) as model:
        seen = alike_class_masks(model(picture_bgr), classes, least=0.99)
    print(f"{name}: {seen}")
    note("semantic", requirement(DETECTORS, "torchvision"), name, seen.matched, seen.vendor)
    assert seen.vendor >= 5, seen
    assert seen.matched == seen.vendor == seen.ours, seen
