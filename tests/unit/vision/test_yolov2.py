"""YOLOv2 as Custom Vision exports it, against the formula of its paper written as loops over cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from support import reference_decode as slow
from support.models import make_card
from vigie.errors import CardError
from vigie.vision.decoders import make_decoder
from vigie.vision.detections import Detections

HW = (96, 128)
CLASSES = 3
# Of Custom Vision's export sample (object_detection.py): width and height in cells.
ANCHORS = [(0.573, 0.677), (1.87, 2.06), (3.34, 5.47), (7.88, 3.53), (9.77, 9.17)]


def outputs(seed: int, *, anchors: int = 5, rows: int = 3, columns: int = 4) -> list[np.ndarray]:
    chance = np.random.default_rng(seed)
    return [chance.normal(0, 1.5, (1, anchors * (5 + CLASSES), rows, columns)).astype(np.float32)]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def by_loops(
    given: list[np.ndarray], anchors: list[tuple[float, float]], stride: int, score_min: float
) -> list[slow.Candidate]:
    """The best class of each anchor of each cell: P(object) * P(class | object), a box from its cell and its anchor."""
    found = []
    for which, (anchor_w, anchor_h) in enumerate(anchors):
        block = given[0][0][which * (5 + CLASSES) : (which + 1) * (5 + CLASSES)].astype(float)
        for row in range(block.shape[1]):
            for column in range(block.shape[2]):
                x, y, w, h, objectness, *logits = block[:, row, column]
                shares = [math.exp(one - max(logits)) for one in logits]
                scores = [sigmoid(objectness) * share / sum(shares) for share in shares]
                best = scores.index(max(scores))
                if scores[best] < score_min:
                    continue
                centre = (sigmoid(x) + column) * stride, (sigmoid(y) + row) * stride
                half = math.exp(w) * anchor_w * stride / 2, math.exp(h) * anchor_h * stride / 2
                box = (centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1])
                found.append((best, scores[best], box))
    return found


def decoded(given: list[np.ndarray], score_min: float, **params: Any) -> Detections:
    decoder = make_decoder(make_card("yolov2", [item.shape for item in given], hw=HW, classes=CLASSES, params=params))
    return decoder(given, score_min=score_min, iou_max=0.45)


@pytest.mark.parametrize("score_min", [0.1, 0.4], ids=["many", "few"])
@pytest.mark.parametrize("seed", range(3))
def test_the_export_of_custom_vision_is_read_as_its_sample_reads_it(seed: int, score_min: float) -> None:
    given = outputs(seed)
    found = decoded(given, score_min)
    expected = slow.suppress(by_loops(given, ANCHORS, 32, score_min), 0.45)[:300]
    assert len(expected) > 3
    assert found.class_ids.tolist() == [one[0] for one in expected]
    assert found.scores == pytest.approx([one[1] for one in expected], abs=1e-5)
    assert found.boxes_xyxy == pytest.approx(np.array([one[2] for one in expected]), rel=1e-4, abs=1e-2)


def test_other_anchors_and_another_stride_are_the_cards_to_say() -> None:
    anchors = [(1.0, 2.0), (4.0, 3.0)]
    given = outputs(7, anchors=2, rows=6, columns=8)
    found = decoded(given, 0.2, anchors=anchors, stride=16)
    expected = slow.suppress(by_loops(given, anchors, 16, 0.2), 0.45)
    assert found.class_ids.tolist() == [one[0] for one in expected]
    assert found.boxes_xyxy == pytest.approx(np.array([one[2] for one in expected]), rel=1e-4, abs=1e-2)


def test_an_infinite_side_is_no_detection() -> None:
    given = [np.full((1, 40, 3, 4), -20.0, np.float32)]
    given[0][0, 4, 0, 0] = 20.0
    assert len(decoded(given, 0.2)) == 1
    given[0][0, 2, 0, 0] = 800.0
    assert len(decoded(given, 0.2)) == 0


@pytest.mark.parametrize("shape", [(1, 39, 3, 4), (1, 40, 4, 3), (2, 40, 3, 4), (1, 40, 12)], ids=str)
def test_another_shape_is_refused_with_the_one_that_it_needs(shape: tuple[int, ...]) -> None:
    with pytest.raises(CardError, match=r"needs outputs \[1,40,3,4\]"):
        make_decoder(make_card("yolov2", [shape], hw=HW, classes=CLASSES))
