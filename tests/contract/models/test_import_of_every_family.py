"""Each family's export becomes a bundle whose detections are those of the original file, read by a second decoder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from support import models
from support import reference_decode as slow
from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.pictures import scene

UNIT = {"order": "rgb", "mean": (0, 0, 0), "std": (255, 255, 255)}
BYTES = {"order": "bgr", "mean": (0, 0, 0), "std": (1, 1, 1)}
IMAGENET = {"order": "rgb", "mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
FACE = {"order": "rgb", "mean": (127, 127, 127), "std": (128, 128, 128)}
NANO = {"order": "bgr", "mean": (103.53, 116.28, 123.675), "std": (57.375, 57.12, 58.395)}
CLASSES = {"family": "classifier", "feed": input_fields("rgb/imagenet")}
DETECT = models.ultralytics_metadata()

# family, graph, what is passed, how the original is fed, second decoder, whether boxes are suppressed after it
CASES: list[Any] = [
    ("yolox", models.yolox, {}, BYTES, slow.yolox, True),
    ("yolox", partial(models.yolox, decoded=True), {}, BYTES, partial(slow.yolox, decoded=True), True),
    ("yolov5", models.yolov5, {}, UNIT, slow.yolov5, True),
    ("yolov8", partial(models.yolov8, metadata=DETECT), {}, UNIT, slow.yolov8, True),
    ("yolov8", partial(models.yolov8, hw=None, metadata=DETECT), {}, UNIT, slow.yolov8, True),
    ("yolov8", models.yolov8, {"labels": models.NAMES}, UNIT, slow.yolov8, True),
    ("end2end", partial(models.end2end, metadata=DETECT), {}, UNIT, slow.end2end, False),
    (
        "ssd",
        models.detection_output,
        {"labels": models.NAMES, "feed": input_fields("bgr/0..255")},
        BYTES,
        slow.detection_output,
        False,
    ),
    ("ssd", models.tensorflow_ssd, {"labels": models.NAMES}, {**BYTES, "order": "rgb"}, slow.tensorflow, False),
    ("ssd", models.torchvision_ssd, {"labels": models.NAMES}, UNIT, slow.torchvision, False),
    ("ssd", partial(models.torchvision_ssd, grey=True), {"labels": models.NAMES}, UNIT, slow.torchvision, False),
    ("ultraface", models.ultraface, {}, FACE, slow.ultraface, True),
    ("yunet", models.yunet, {}, BYTES, slow.yunet, True),
    ("nanodet", models.nanodet, {}, NANO, partial(slow.nanodet, strides=[8, 16, 32, 64], offset=0.0), True),
    ("detr", models.rtdetr, {"labels": models.NAMES}, UNIT, slow.labels_boxes_scores, False),
    (
        "detr",
        models.rfdetr,
        {"labels": (*models.NAMES, "background")},
        IMAGENET,
        partial(slow.detr_logits, first=0),
        False,
    ),
    ("detr", models.rtdetr_ultralytics, {}, UNIT, slow.detr_ultralytics, False),
    ("classifier", models.classifier, CLASSES, IMAGENET, partial(slow.classifier, softmax=True), False),
    (
        "classifier",
        partial(models.classifier, softmax=True),
        {"feed": input_fields("rgb/imagenet")},
        IMAGENET,
        partial(slow.classifier, softmax=False),
        False,
    ),
]
IDS = [
    "yolox-raw", "yolox-decoded", "yolov5", "yolov8", "yolov8-open-input", "yolov8-by-labels", "end2end",
    "detection-output", "tensorflow", "torchvision", "torchvision-grey", "ultraface", "yunet", "nanodet-plus", "rtdetr",
    "rfdetr", "rtdetr-ultralytics", "classifier-logits", "classifier-probabilities",
]  # fmt: skip


@pytest.mark.parametrize(("family", "build", "passed", "feed", "decode", "suppressed"), CASES, ids=IDS)
def test_an_imported_model_detects_what_the_original_does(
    tmp_path: Path,
    family: str,
    build: Callable[[], onnx.ModelProto],
    passed: dict[str, Any],
    feed: dict[str, Any],
    decode: slow.Reader,
    suppressed: bool,
) -> None:
    original = models.save(build(), tmp_path)

    bundle = load_bundle(import_model(original, tmp_path / "bundle", **passed))

    card = bundle.card
    assert card.decoder.family == family
    hw = (card.input.height, card.input.width)
    decoder = make_decoder(card)
    for seed in (1, 2, 3):
        picture = scene(hw, seed=seed)
        before = run_original(original, picture, feed, [output.name for output in card.outputs])
        expected = slow.suppress(decode(before, hw, 0.3), 0.45 if suppressed else None)
        with open_engine(bundle) as engine:
            found = decoder(engine.run(picture), score_min=0.3, iou_max=0.45)
        assert_same(found, expected)
    assert len(expected) >= 1, "the tiny model sees nothing: the comparison proves nothing"


def run_original(
    path: Path, picture: np.ndarray, feed: dict[str, Any], wanted: list[str], told: dict[str, Any] | None = None
) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds: dict[str, Any] = {}
    for item in session.get_inputs():
        if item.name in (told or {}):
            feeds[item.name] = (told or {})[item.name]
            continue
        if item.name == "orig_target_sizes":
            feeds[item.name] = np.array([[picture.shape[1], picture.shape[0]]], np.int64)
            continue
        pixels = picture[..., ::-1] if feed["order"] == "rgb" else picture
        if item.type == "tensor(uint8)":
            channels_first = item.shape[1] == 3
            feeds[item.name] = np.ascontiguousarray(pixels.transpose(2, 0, 1) if channels_first else pixels)[None]
            continue
        values = (pixels.astype(np.float64) - np.array(feed["mean"])) / np.array(feed["std"])
        planes = values.transpose(2, 0, 1).astype(np.float32)
        feeds[item.name] = planes if len(item.shape) == 3 else planes[None]
    return session.run(wanted, feeds)


def assert_same(found: Any, expected: list[slow.Candidate]) -> None:
    """Same classes and order; scores to 1e-3 and boxes to 0.05 px: float32 in another order of operations."""
    assert len(found) == len(expected)
    left = sorted(zip(found.class_ids.tolist(), found.scores.tolist(), found.boxes_xyxy.tolist(), strict=True))
    for (label, score, box), (other_label, other_score, other_box) in zip(left, sorted(expected), strict=True):
        assert label == other_label
        assert score == pytest.approx(other_score, abs=1e-3)
        assert box == pytest.approx(list(other_box), abs=0.05)
