"""Every decoder written a second time: plain loops over float64, nothing of vigie.vision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Candidate = tuple[int, float, tuple[float, float, float, float]]


def overlap(left: tuple[float, ...], right: tuple[float, ...]) -> float:
    wide = min(left[2], right[2]) - max(left[0], right[0])
    high = min(left[3], right[3]) - max(left[1], right[1])
    if wide <= 0 or high <= 0:
        return 0.0
    area = (left[2] - left[0]) * (left[3] - left[1]) + (right[2] - right[0]) * (right[3] - right[1])
    return wide * high / (area - wide * high)


def suppress(found: list[Candidate], iou_max: float | None) -> list[Candidate]:
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda item: -item[1]):
        if iou_max is None or all(one[0] != other[0] or overlap(one[2], other[2]) <= iou_max for other in kept):
            kept.append(one)
    return kept


def corners(cx: float, cy: float, w: float, h: float) -> tuple[float, float, float, float]:
    return (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)


def cells(hw: tuple[int, int], strides: list[int]) -> Iterator[tuple[int, int, int]]:
    for stride in strides:
        for row in range(math.ceil(hw[0] / stride)):
            for column in range(math.ceil(hw[1] / stride)):
                yield column, row, stride


def yolox(outputs: list[Any], hw: tuple[int, int], score_min: float, *, decoded: bool = False) -> list[Candidate]:
    found = []
    for values, (column, row, stride) in zip(outputs[0][0], cells(hw, [8, 16, 32]), strict=True):
        scores = [float(values[4]) * float(value) for value in values[5:]]
        best = max(range(len(scores)), key=scores.__getitem__)
        if scores[best] >= score_min:
            x, y, w, h = (float(value) for value in values[:4])
            if not decoded:
                x, y = (x + column) * stride, (y + row) * stride
                w, h = math.exp(w) * stride, math.exp(h) * stride
            found.append((best, scores[best], corners(x, y, w, h)))
    return found


def yolov5(outputs: list[Any], _hw: tuple[int, int], score_min: float) -> list[Candidate]:
    found = []
    for values in outputs[0][0]:
        scores = [float(values[4]) * float(value) for value in values[5:]]
        best = max(range(len(scores)), key=scores.__getitem__)
        if scores[best] >= score_min:
            found.append((best, scores[best], corners(*(float(value) for value in values[:4]))))
    return found


def yolov8(outputs: list[Any], _hw: tuple[int, int], score_min: float) -> list[Candidate]:
    found = []
    table = outputs[0][0]
    for anchor in range(table.shape[1]):
        scores = [float(value) for value in table[4:, anchor]]
        best = max(range(len(scores)), key=scores.__getitem__)
        if scores[best] >= score_min:
            found.append((best, scores[best], corners(*(float(value) for value in table[:4, anchor]))))
    return found


def end2end(outputs: list[Any], _hw: tuple[int, int], score_min: float) -> list[Candidate]:
    rows = ([float(value) for value in row] for row in outputs[0][0])
    return [(round(row[5]), row[4], tuple(row[:4])) for row in rows if row[4] >= score_min and row[4] > 0]


def detection_output(outputs: list[Any], hw: tuple[int, int], score_min: float, *, first: int = 1) -> list[Candidate]:
    found = []
    for row in outputs[0][0, 0]:
        image, label, score, x1, y1, x2, y2 = (float(value) for value in row)
        if image < 0:
            break
        if score >= score_min and round(label) >= first:
            found.append((round(label) - first, score, (x1 * hw[1], y1 * hw[0], x2 * hw[1], y2 * hw[0])))
    return found


def tensorflow(outputs: list[Any], hw: tuple[int, int], score_min: float, *, first: int = 1) -> list[Candidate]:
    found = []
    for box, label, score in zip(outputs[0][0], outputs[1][0], outputs[2][0], strict=True):
        if score >= score_min and score > 0 and round(float(label)) >= first:
            y1, x1, y2, x2 = (float(value) for value in box)
            found.append((round(float(label)) - first, float(score), (x1 * hw[1], y1 * hw[0], x2 * hw[1], y2 * hw[0])))
    return found


def torchvision(outputs: list[Any], _hw: tuple[int, int], score_min: float, *, first: int = 1) -> list[Candidate]:
    return [
        (int(label) - first, float(score), tuple(float(value) for value in box))
        for box, label, score in zip(*outputs, strict=True)
        if score >= score_min and score > 0 and int(label) >= first
    ]


def ultraface(outputs: list[Any], hw: tuple[int, int], score_min: float) -> list[Candidate]:
    found = []
    for (_, face), (x1, y1, x2, y2) in zip(outputs[0][0], outputs[1][0], strict=True):
        if face >= score_min:
            found.append((0, float(face), (x1 * hw[1], y1 * hw[0], x2 * hw[1], y2 * hw[0])))
    return found


def yunet(outputs: list[Any], hw: tuple[int, int], score_min: float) -> list[Candidate]:
    found = []
    for level, stride in enumerate((8, 16, 32)):
        face, objectness, boxes = outputs[level][0], outputs[3 + level][0], outputs[6 + level][0]
        for index, (column, row, _) in enumerate(cells(hw, [stride])):
            one, other = (min(1.0, max(0.0, float(values[index, 0]))) for values in (face, objectness))
            score = math.sqrt(one * other)
            if score >= score_min:
                x, y, w, h = (float(value) for value in boxes[index])
                box = corners((column + x) * stride, (row + y) * stride, math.exp(w) * stride, math.exp(h) * stride)
                found.append((0, score, box))
    return found


def nanodet(
    outputs: list[Any], hw: tuple[int, int], score_min: float, *, strides: list[int], offset: float, bins: int = 8
) -> list[Candidate]:
    found = []
    for values, (column, row, stride) in zip(outputs[0][0], cells(hw, strides), strict=True):
        scores = [float(value) for value in values[: -4 * bins]]
        best = max(range(len(scores)), key=scores.__getitem__)
        if scores[best] < score_min:
            continue
        sides = []
        for side in range(4):
            logits = [float(value) for value in values[len(scores) + side * bins :][:bins]]
            weights = [math.exp(value - max(logits)) for value in logits]
            sides.append(sum(step * weight for step, weight in enumerate(weights)) / sum(weights) * stride)
        x, y = (column + offset) * stride, (row + offset) * stride
        found.append((best, scores[best], (x - sides[0], y - sides[1], x + sides[2], y + sides[3])))
    return found


def labels_boxes_scores(outputs: list[Any], _hw: tuple[int, int], score_min: float) -> list[Candidate]:
    labels, boxes, scores = (output[0] for output in outputs)
    return [
        (int(label), float(score), tuple(float(value) for value in box))
        for label, box, score in zip(labels, boxes, scores, strict=True)
        if score >= score_min
    ]


def detr_ultralytics(outputs: list[Any], hw: tuple[int, int], score_min: float) -> list[Candidate]:
    found = []
    for row in outputs[0][0]:
        x, y, w, h, *scores = (float(value) for value in row)
        best = max(range(len(scores)), key=scores.__getitem__)
        if scores[best] >= score_min:
            found.append((best, scores[best], corners(x * hw[1], y * hw[0], w * hw[1], h * hw[0])))
    return found


def detr_logits(outputs: list[Any], hw: tuple[int, int], score_min: float, *, first: int) -> list[Candidate]:
    found = []
    for (x, y, w, h), logits in zip(outputs[0][0].tolist(), outputs[1][0].tolist(), strict=True):
        for index, logit in enumerate(logits[first:]):
            score = 1 / (1 + math.exp(-logit))
            if score >= score_min:
                found.append((index, score, corners(x * hw[1], y * hw[0], w * hw[1], h * hw[0])))
    return found


def classifier(outputs: list[Any], hw: tuple[int, int], score_min: float, *, softmax: bool) -> list[Candidate]:
    values = [float(value) for value in np.ravel(outputs[0])]
    if softmax:
        weights = [math.exp(value - max(values)) for value in values]
        values = [weight / sum(weights) for weight in weights]
    best = max(range(len(values)), key=values.__getitem__)
    return [(best, values[best], (0.0, 0.0, float(hw[1]), float(hw[0])))] if values[best] >= score_min else []


Reader = Callable[..., list[Candidate]]
