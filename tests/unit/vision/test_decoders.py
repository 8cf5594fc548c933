"""Each decoder against its slow twin on random outputs: none, one, many, crowded; and what it must never do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from support import reference_decode as slow
from support.models import anchors, make_card
from vigie.errors import CardError, DecodeError
from vigie.vision.decoders import decoder_families, make_decoder

HW = (64, 96)
CELLS = anchors(HW)
CELLS_4 = anchors(HW, (8, 16, 32, 64))


def rows(rng: np.random.Generator, count: int, classes: int, *, pixels: bool) -> np.ndarray:
    table = rng.uniform(0, 1, (1, count, 5 + classes)).astype(np.float32)
    table[..., :4] = rng.uniform(4, 60, (1, count, 4)) if pixels else rng.normal(0, 0.8, (1, count, 4))
    return table


def yolov8(rng: np.random.Generator) -> list[np.ndarray]:
    table = rng.uniform(0, 1, (1, 7, CELLS)).astype(np.float32)
    table[:, :4] = rng.uniform(4, 60, (1, 4, CELLS))
    return [table]


def finished(rng: np.random.Generator, count: int = 40) -> np.ndarray:
    table = rng.uniform(0, 30, (1, count, 6)).astype(np.float32)
    table[..., 2:4] += table[..., :2]
    table[..., 4] = np.sort(rng.uniform(0, 1, count))[::-1]
    table[..., 5] = rng.integers(0, 3, count)
    table[0, -3:] = 0
    return table


def detection_output(rng: np.random.Generator) -> list[np.ndarray]:
    table = rng.uniform(0, 1, (1, 1, 30, 7)).astype(np.float32)
    table[..., 0] = 0
    table[0, 0, 25:, 0] = -1
    table[..., 1] = rng.integers(0, 4, 30)
    return [table]


def tensorflow(rng: np.random.Generator) -> list[np.ndarray]:
    boxes, scores = rng.uniform(0, 1, (1, 20, 4)), rng.uniform(0, 1, (1, 20))
    return [boxes.astype(np.float32), rng.integers(1, 4, (1, 20)).astype(np.float32), scores.astype(np.float32)]


def torchvision(rng: np.random.Generator) -> list[np.ndarray]:
    boxes, scores = rng.uniform(0, 60, (20, 4)), rng.uniform(0, 1, 20)
    return [boxes.astype(np.float32), rng.integers(1, 4, 20), scores.astype(np.float32)]


def ultraface(rng: np.random.Generator) -> list[np.ndarray]:
    face = rng.uniform(0, 1, (1, CELLS, 1))
    low = rng.uniform(0, 0.7, (1, CELLS, 2))
    boxes = np.concatenate((low, low + rng.uniform(0.05, 0.3, (1, CELLS, 2))), axis=2)
    return [np.concatenate((1 - face, face), axis=2).astype(np.float32), boxes.astype(np.float32)]


def yunet(rng: np.random.Generator) -> list[np.ndarray]:
    counts = [anchors(HW, (stride,)) for stride in (8, 16, 32)]
    scores = [rng.uniform(-0.1, 1.1, (1, count, 1)).astype(np.float32) for _ in range(2) for count in counts]
    return scores + [rng.normal(0, 0.8, (1, count, 4)).astype(np.float32) for count in counts]


def nanodet(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    scores = rng.uniform(0, 1, (1, count, 3))
    return [np.concatenate((scores, rng.normal(0, 3, (1, count, 32))), axis=2).astype(np.float32)]


def queries(rng: np.random.Generator) -> list[np.ndarray]:
    boxes, scores = rng.uniform(0, 60, (1, 20, 4)), rng.uniform(0, 1, (1, 20))
    return [rng.integers(0, 3, (1, 20)), boxes.astype(np.float32), scores.astype(np.float32)]


def logits(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.uniform(0.1, 0.6, (1, 20, 4)).astype(np.float32), rng.normal(0, 2, (1, 20, 4)).astype(np.float32)]


LAYOUT = "layout"
OLD_NANODET = {"strides": [8, 16, 32], "offset": 0.5}
# family, params, outputs, slow twin, suppressed, classes
CASES: dict[str, Any] = {
    "yolox-raw": ("yolox", {}, lambda r: [rows(r, CELLS, 3, pixels=False)], slow.yolox, True, 3),
    "yolox-decoded": (
        "yolox",
        {"decoded": True},
        lambda r: [rows(r, CELLS, 3, pixels=True)],
        partial(slow.yolox, decoded=True),
        True,
        3,
    ),
    "yolov5": ("yolov5", {}, lambda r: [rows(r, 3 * CELLS, 3, pixels=True)], slow.yolov5, True, 3),
    "yolov8": ("yolov8", {}, yolov8, slow.yolov8, True, 3),
    "end2end": ("end2end", {}, lambda r: [finished(r)], slow.end2end, False, 3),
    "detection-output": (
        "ssd",
        {LAYOUT: "detection_output", "first_label": 1},
        detection_output,
        slow.detection_output,
        False,
        3,
    ),
    "tensorflow": ("ssd", {LAYOUT: "tensorflow", "first_label": 1}, tensorflow, slow.tensorflow, False, 3),
    "torchvision": ("ssd", {LAYOUT: "torchvision", "first_label": 1}, torchvision, slow.torchvision, False, 3),
    "ultraface": ("ultraface", {}, ultraface, slow.ultraface, True, 1),
    "yunet": ("yunet", {}, yunet, slow.yunet, True, 1),
    "nanodet-plus": (
        "nanodet",
        {},
        lambda r: nanodet(r, CELLS_4),
        partial(slow.nanodet, strides=[8, 16, 32, 64], offset=0.0),
        True,
        3,
    ),
    "nanodet": (
        "nanodet",
        OLD_NANODET,
        lambda r: nanodet(r, CELLS),
        partial(slow.nanodet, strides=[8, 16, 32], offset=0.5),
        True,
        3,
    ),
    "rtdetr": ("detr", {LAYOUT: "labels_boxes_scores"}, queries, slow.labels_boxes_scores, False, 3),
    "rtdetr-ultralytics": (
        "detr",
        {LAYOUT: "ultralytics"},
        lambda r: [r.uniform(0, 1, (1, 20, 7)).astype(np.float32)],
        slow.detr_ultralytics,
        False,
        3,
    ),
    "rfdetr": ("detr", {LAYOUT: "logits", "first_label": 1}, logits, partial(slow.detr_logits, first=1), False, 3),
    "classifier": (
        "classifier",
        {"softmax": True},
        lambda r: [r.normal(0, 4, (1, 5)).astype(np.float32)],
        partial(slow.classifier, softmax=True),
        False,
        5,
    ),
}
EACH = pytest.mark.parametrize(
    ("family", "params", "outputs", "twin", "suppressed", "classes"), CASES.values(), ids=CASES.keys()
)


def decoder_for(family: str, params: dict[str, Any], given: list[np.ndarray], classes: int) -> Any:
    return make_decoder(make_card(family, [item.shape for item in given], hw=HW, classes=classes, params=params))


@EACH
@pytest.mark.parametrize("score_min", [0.05, 0.5, 0.9], ids=["crowded", "many", "few"])
def test_the_decoder_finds_what_its_slow_twin_finds(
    family: str,
    params: dict[str, Any],
    outputs: Callable[..., list[np.ndarray]],
    twin: slow.Reader,
    suppressed: bool,
    classes: int,
    score_min: float,
) -> None:
    for seed in range(4):
        given = outputs(np.random.default_rng(seed))
        found = decoder_for(family, params, given, classes)(given, score_min=score_min, iou_max=0.45)
        expected = slow.suppress(twin(given, HW, score_min), 0.45 if suppressed else None)[:300]
        assert found.class_ids.tolist() == [one[0] for one in expected]
        assert found.scores == pytest.approx([one[1] for one in expected], abs=1e-5)
        boxes = np.array([one[2] for one in expected]).reshape(-1, 4)
        assert found.boxes_xyxy == pytest.approx(boxes, rel=1e-4, abs=1e-3)
        assert (found.boxes_xyxy.dtype, found.scores.dtype, found.class_ids.dtype) == (
            np.float32,
            np.float32,
            np.int32,
        )


@EACH
def test_nothing_above_the_threshold_is_no_detection(
    family: str, params: Any, outputs: Any, twin: Any, suppressed: Any, classes: int
) -> None:
    given = outputs(np.random.default_rng(1))
    found = decoder_for(family, params, given, classes)(given, score_min=1.01, iou_max=0.45)
    assert len(found) == 0
    assert found.boxes_xyxy.shape == (0, 4)


@EACH
def test_only_wanted_classes_are_told(
    family: str, params: Any, outputs: Any, twin: Any, suppressed: Any, classes: int
) -> None:
    given = outputs(np.random.default_rng(2))
    decode = decoder_for(family, params, given, classes)
    wanted = {0}
    found = decode(given, score_min=0.05, iou_max=0.45, classes=wanted)
    assert set(found.class_ids.tolist()) <= wanted
    assert len(decode(given, score_min=0.05, iou_max=0.45, classes=[])) == 0


@EACH
def test_the_outputs_are_left_as_they_were(
    family: str, params: Any, outputs: Any, twin: Any, suppressed: Any, classes: int
) -> None:
    given = outputs(np.random.default_rng(3))
    copies = [item.copy() for item in given]
    decoder_for(family, params, given, classes)(given, score_min=0.1, iou_max=0.45)
    assert all(np.array_equal(left, right) for left, right in zip(given, copies, strict=True))


@EACH
def test_values_that_are_no_numbers_give_no_detection_and_no_error(
    family: str, params: Any, outputs: Any, twin: Any, suppressed: Any, classes: int
) -> None:
    given = [
        np.full_like(item, np.nan) if item.dtype.kind == "f" else item for item in outputs(np.random.default_rng(4))
    ]
    assert len(decoder_for(family, params, given, classes)(given, score_min=0.1, iou_max=0.45)) == 0


@EACH
def test_outputs_of_another_shape_are_refused(
    family: str, params: Any, outputs: Any, twin: Any, suppressed: Any, classes: int
) -> None:
    given = outputs(np.random.default_rng(5))
    decode = decoder_for(family, params, given, classes)
    with pytest.raises(DecodeError, match="card and file disagree"):
        decode([item[..., :-1] for item in given], score_min=0.1, iou_max=0.45)


def test_a_class_without_a_label_is_never_told() -> None:
    table = np.zeros((1, 2, 6), np.float32)
    table[0, :, 4] = 0.9
    table[0, :, 5] = [2, 3]
    found = decoder_for("end2end", {}, [table], 3)([table], score_min=0.5, iou_max=0.5)
    assert found.class_ids.tolist() == [2]


def test_an_exploding_side_is_dropped() -> None:
    table = np.zeros((1, CELLS, 8), np.float32)
    table[0, 0] = [0, 0, 100, 100, 1, 1, 0, 0]
    table[0, 1] = [0, 0, 1, 1, 1, 1, 0, 0]
    assert len(decoder_for("yolox", {}, [table], 3)([table], score_min=0.5, iou_max=0.5)) == 1


def test_every_family_has_a_file_that_says_its_source() -> None:
    import importlib

    for family in decoder_families():
        module = importlib.import_module(f"vigie.vision.decoders.{family}")
        assert "Source:" in (module.__doc__ or "")


@pytest.mark.parametrize(
    ("family", "shapes", "params", "said"),
    [
        ("yolo99", [(1, 2, 3)], {}, "$.decoder.family: unknown family 'yolo99'; known: anomaly, classifier, dense"),
        ("yolox", [(1, CELLS, 8)], {"stride": 8}, "$.decoder.params: Object contains unknown field `stride`"),
        ("yolox", [(1, CELLS, 8)], {"strides": "8"}, "$.decoder.params.strides: Expected `array`, got `str`"),
        ("yolox", [(1, 99, 8)], {}, "$.decoder: this family needs outputs [1,126,8] for input 64x96 and 3 labels"),
        ("yolov8", [(1, 9, CELLS)], {}, "needs outputs [1,7,?]"),
    ],
)
def test_a_card_that_its_decoder_cannot_read_is_refused_with_the_path(
    family: str, shapes: list[tuple[int, ...]], params: dict[str, Any], said: str
) -> None:
    with pytest.raises(CardError) as refused:
        make_decoder(make_card(family, shapes, hw=HW, params=params))
    assert said in str(refused.value)
