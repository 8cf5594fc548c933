"""Exports that ultralytics made itself, imported without a word of configuration, against ultralytics' own decoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.vendor_agreement import Found, agreement, alike_class_masks, note, requirement, through_vigie
from vigie import open_model
from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie.vision.detections import Detections
from vigie.vision.letterbox import letterbox_into
from vigie.vision.masks import GRID
from vigie.vision.oriented import corners_of
from vigie_devkit.models import import_model

# Set-up and exports are counted into the first test's time.
pytestmark = [pytest.mark.vendor, pytest.mark.slow, pytest.mark.timeout(3000)]

SCORE_MIN, IOU_MAX = 0.001, 0.45
VENDOR = requirement(Path(__file__).with_name("ultralytics.txt"), "ultralytics")
RAW, DONE = "yolov8", "end2end"
DETECTORS = [
    ("yolov5nu", RAW), ("yolov8n", RAW), ("yolov8n-three-classes", RAW), ("yolov8n-open-input", RAW),
    ("yolov8n-half", RAW), ("yolov8n-p2", RAW), ("yolov9t", RAW), ("yolov10n", DONE), ("yolov10n-raw", RAW),
    ("yolo11n", RAW), ("yolo12n", RAW), ("yolo26n", DONE), ("yolo26n-raw", RAW),
    ("yolov8n-nms", DONE), ("yolo11n-nms", DONE),
]  # fmt: skip
POSES = ["yolov8n-pose", "yolo11n-pose", "yolo26n-pose", "yolov8n-pose-nms"]
SEGMENTS = ["yolov8n-seg", "yolo11n-seg", "yolo26n-seg", "yolov8n-seg-nms"]
ORIENTED = ["yolov8n-obb", "yolo11n-obb", "yolo26n-obb", "yolov8n-obb-nms"]


def in_the_tensor(folder: Path, frame_bgr: np.ndarray) -> Detections:
    """What is found, in pixels of the tensor."""
    bundle = load_bundle(folder)
    spec = bundle.card.input
    tensor = np.empty((spec.height, spec.width, 3), np.uint8)
    letterbox_into(frame_bgr, tensor, align=spec.align, pad_value=spec.pad_value)
    with open_engine(bundle) as engine:
        return make_decoder(bundle.card)(engine.run(tensor), score_min=SCORE_MIN, iou_max=IOU_MAX)


@pytest.mark.parametrize(("name", "family"), DETECTORS, ids=[name for name, _ in DETECTORS])
def test_a_detector_finds_what_its_vendor_finds(
    ultralytics_exports: Path, frame_bgr: np.ndarray, tmp_path: Path, name: str, family: str
) -> None:
    size = (256, 256) if name == "yolov8n-open-input" else None
    folder = import_model(ultralytics_exports / f"{name}.onnx", tmp_path / "bundle", size_hw=size)

    ours = through_vigie(folder, frame_bgr, score_min=SCORE_MIN, iou_max=IOU_MAX)

    assert load_bundle(folder).card.decoder.family == family
    with np.load(ultralytics_exports / f"{name}.npz") as arrays:
        vendor = Found(arrays["boxes_xyxy"], arrays["scores"], arrays["class_ids"])
    # Half precision through hundred random layers moves boxes by pixels and scores by a hundredth.
    half = name.endswith("half")
    seen = agreement(ours, vendor, iou_min=0.9 if half else 0.99, score_within=0.05 if half else 1e-3)
    note(family, VENDOR, name, seen.matched, seen.vendor)
    assert seen.vendor > 100
    assert np.ptp(vendor.scores) > 0.02, "scores that lie together prove nothing"
    # A pair whose overlap is the threshold itself may fall either way: the vendor shifts classes apart in float32.
    assert seen.matched >= (0.85 if half else 0.98) * max(seen.vendor, seen.ours), seen


@pytest.mark.parametrize("name", POSES)
def test_a_pose_model_finds_the_boxes_and_key_points_of_its_vendor(
    ultralytics_exports: Path, frame_bgr: np.ndarray, tmp_path: Path, name: str
) -> None:
    folder = import_model(ultralytics_exports / f"{name}.onnx", tmp_path / "bundle")
    with open_model(folder) as model:
        found = model(frame_bgr, score_min=SCORE_MIN, iou_max=IOU_MAX)
    with np.load(ultralytics_exports / f"{name}.npz") as arrays:
        vendor = Found(arrays["boxes_xyxy"], arrays["scores"], arrays["class_ids"])
        points = arrays["keypoints"]
    ours = Found(found.boxes_xyxy, found.scores, found.class_ids)
    seen = agreement(ours, vendor, iou_min=0.99, score_within=1e-3)
    assert seen.vendor > 20
    assert seen.matched >= 0.98 * max(seen.vendor, seen.ours), seen
    assert found.keypoints is not None
    apart = []
    for box, score, own in zip(vendor.boxes_xyxy, vendor.scores, points, strict=True):
        # Clipped to the picture's edge, boxes of several anchors are one and the same: the score tells them apart.
        distance = np.abs(ours.boxes_xyxy - box).max(axis=1) + np.where(np.abs(ours.scores - score) < 1e-4, 0, np.inf)
        nearest = int(distance.argmin())
        if distance[nearest] <= 0.25:
            apart.append(float(np.abs(found.keypoints[nearest] - own).max()))
    note("pose", VENDOR, name, seen.matched, seen.vendor)
    print(f"{name}: {seen}, key points {max(apart):.3f} px apart in {len(apart)}")
    assert len(apart) >= 0.9 * len(points)
    # Random key points lie far outside and are clipped to the picture; a pixel of the tensor is 4.7 of it.
    assert np.median(apart) < 0.1
    assert np.quantile(apart, 0.98) < 1.0


@pytest.mark.parametrize("name", SEGMENTS)
def test_a_segmentation_model_finds_the_boxes_and_masks_of_its_vendor(
    ultralytics_exports: Path, frame_bgr: np.ndarray, tmp_path: Path, name: str
) -> None:
    folder = import_model(ultralytics_exports / f"{name}.onnx", tmp_path / "bundle")
    found = in_the_tensor(folder, frame_bgr)
    with np.load(ultralytics_exports / f"{name}.npz") as arrays:
        vendor = Found(arrays["tensor_xyxy"], arrays["scores"], arrays["class_ids"])
        masks = arrays["masks"]
    ours = Found(found.boxes_xyxy, found.scores, found.class_ids)
    seen = agreement(ours, vendor, iou_min=0.99, score_within=1e-3)
    assert seen.vendor > 20
    assert seen.matched >= 0.98 * max(seen.vendor, seen.ours), seen
    assert found.masks is not None
    alike = []
    for box, score, mask in zip(vendor.boxes_xyxy, vendor.scores, masks, strict=True):
        distance = np.abs(ours.boxes_xyxy - box).max(axis=1) + np.where(np.abs(ours.scores - score) < 1e-4, 0, np.inf)
        nearest = int(distance.argmin())
        x1, y1, x2, y2 = box
        if distance[nearest] > 0.25 or x2 - x1 < GRID or y2 - y1 < GRID:
            continue  # the vendor has a pixel for less than a cell
        steps = (np.arange(GRID) + 0.5) / GRID
        rows, columns = (y1 + (y2 - y1) * steps).astype(int), (x1 + (x2 - x1) * steps).astype(int)
        alike.append(float((mask[np.ix_(rows, columns)] == found.masks[nearest]).mean()))
    note("segment", VENDOR, name, seen.matched, seen.vendor)
    print(f"{name}: {seen}, cells alike {np.mean(alike):.4f} in {len(alike)}")
    assert len(alike) > 10
    # A cell's middle is not the middle of the vendor's pixel, and the vendor's masks fade towards the edge of the box.
    assert np.mean(alike) > 0.94


def test_a_model_of_semantic_segmentation_sees_the_classes_of_its_vendor(
    ultralytics_exports: Path, frame_bgr: np.ndarray, tmp_path: Path
) -> None:
    folder = import_model(ultralytics_exports / "yolo26n-sem.onnx", tmp_path / "bundle")
    with np.load(ultralytics_exports / "yolo26n-sem.npz") as arrays:
        classes = arrays["classes"]
    with open_model(folder) as model:
        seen = alike_class_masks(model(frame_bgr), classes)
    note("semantic", VENDOR, "yolo26n-sem", seen.matched, seen.vendor)
    assert seen.vendor >= 3, seen
    assert seen.matched == seen.vendor == seen.ours, seen


@pytest.mark.parametrize("name", ORIENTED)
def test_a_model_of_oriented_boxes_finds_those_of_its_vendor(
    ultralytics_exports: Path, frame_bgr: np.ndarray, tmp_path: Path, name: str
) -> None:
    folder = import_model(ultralytics_exports / f"{name}.onnx", tmp_path / "bundle")
    found = in_the_tensor(folder, frame_bgr)
    with np.load(ultralytics_exports / f"{name}.npz") as arrays:
        vendor, scores, class_ids = arrays["oriented"], arrays["scores"], arrays["class_ids"]
    assert found.oriented is not None
    left, offsets = set(range(len(found))), []
    for corners, score, class_id in zip(corners_of(vendor), scores, class_ids, strict=True):
        apart, index = min(
            (
                (float(np.abs(ours - corners).max()), at)
                for at, ours in enumerate(corners_of(found.oriented))
                if at in left and found.class_ids[at] == class_id and abs(found.scores[at] - score) <= 1e-3
            ),
            default=(np.inf, -1),
        )
        if apart <= 0.25:
            left.remove(index)
            offsets.append(apart)
    note("oriented", VENDOR, name, len(offsets), len(vendor))
    print(f"{name}: {len(offsets)} of {len(vendor)} (ours {len(found)}), corners {max(offsets):.3f} px apart")
    assert len(vendor) > 20
    assert np.ptp(scores) > 0.02, "scores that lie together prove nothing"
    assert len(offsets) >= 0.98 * max(len(vendor), len(found))


def test_a_classifier_gives_the_class_and_score_of_its_vendor(
    ultralytics_exports: Path, frame_bgr: np.ndarray, tmp_path: Path
) -> None:
    folder = import_model(ultralytics_exports / "yolov8n-cls.onnx", tmp_path / "bundle")

    ours = through_vigie(folder, frame_bgr, score_min=0.0, iou_max=IOU_MAX)

    with np.load(ultralytics_exports / "yolov8n-cls.npz") as arrays:
        scores = arrays["scores"]
    assert load_bundle(folder).card.decoder.params == {}, "the export gives probabilities"
    assert ours.class_ids.tolist() == [int(scores.argmax())]
    assert ours.scores[0] == pytest.approx(scores.max(), abs=1e-4)


def test_names_in_the_file_become_labels(ultralytics_exports: Path, tmp_path: Path) -> None:
    folder = import_model(ultralytics_exports / "yolov8n-three-classes.onnx", tmp_path / "bundle")
    assert load_bundle(folder).card.labels == ("bolt", "nut", "washer")
