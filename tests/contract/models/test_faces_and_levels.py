"""Faces with landmarks, NanoDet and PicoDet by strides: against a plain decoding of each, or refused."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.models.test_import_of_every_family import assert_same, run_original
from support import by_stride, models, strangers
from support import reference_decode as slow
from vigie.errors import ModelUnrecognisedError
from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.pictures import scene

HW = (64, 64)
BGR_MEANS = {"order": "bgr", "mean": (104, 117, 123), "std": (1,) * 3}
SCRFD = {"order": "rgb", "mean": (127.5,) * 3, "std": (128,) * 3}
BGR = {"order": "bgr", "mean": (0,) * 3, "std": (1,) * 3}
UNIT = {"order": "rgb", "mean": (0,) * 3, "std": (255,) * 3}
NANO = {"order": "bgr", "mean": (103.53, 116.28, 123.675), "std": (57.375, 57.12, 58.395)}
IMAGENET = {"order": "rgb", "mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
Points = dict[tuple[float, ...], list[tuple[float, float]]]


def retinaface(outputs: list[Any], score_min: float, points: Points, *, softmax: bool) -> list[slow.Candidate]:
    found, at = [], 0
    for stride, sizes in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        for row in range(math.ceil(HW[0] / stride)):
            for column in range(math.ceil(HW[1] / stride)):
                for size in sizes:
                    back, face = (float(value) for value in outputs[0][0, at])
                    dx, dy, dw, dh = (float(value) for value in outputs[1][0, at])
                    x, y = (column + 0.5) * stride, (row + 0.5) * stride
                    score = 1 / (1 + math.exp(back - face)) if softmax else face
                    sides = size * math.exp(0.2 * dw), size * math.exp(0.2 * dh)
                    box = slow.corners(x + 0.1 * dx * size, y + 0.1 * dy * size, *sides)
                    if score >= score_min:
                        found.append((0, score, box))
                        if len(outputs) > 2:
                            moved = outputs[2][0, at].reshape(5, 2)
                            points[box] = [(x + 0.1 * float(a) * size, y + 0.1 * float(b) * size) for a, b in moved]
                    at += 1
    return found


def scrfd(outputs: list[Any], score_min: float, points: Points) -> list[slow.Candidate]:
    found = []
    for level, stride in enumerate((8, 16, 32)):
        for row, score in enumerate(outputs[level][:, 0]):
            x, y = row // 2 % (HW[1] // stride) * stride, row // 2 // (HW[1] // stride) * stride
            left, top, right, bottom = (float(side) * stride for side in outputs[level + 3][row])
            box = (x - left, y - top, x + right, y + bottom)
            if score >= score_min:
                found.append((0, float(score), box))
                if len(outputs) > 6:
                    moved = outputs[level + 6][row].reshape(5, 2)
                    points[box] = [(x + float(a) * stride, y + float(b) * stride) for a, b in moved]
    return found


def yunet(outputs: list[Any], score_min: float, points: Points) -> list[slow.Candidate]:
    found = []
    for level, stride in enumerate((8, 16, 32)):
        for row, moved in enumerate(outputs[9 + level][0]):
            face, objectness = (min(1.0, max(0.0, float(outputs[at + level][0, row, 0]))) for at in (0, 3))
            column, line = row % (HW[1] // stride), row // (HW[1] // stride)
            x, y, w, h = (float(value) for value in outputs[6 + level][0, row])
            box = slow.corners((column + x) * stride, (line + y) * stride, math.exp(w) * stride, math.exp(h) * stride)
            if (score := math.sqrt(face * objectness)) >= score_min:
                found.append((0, score, box))
                points[box] = [
                    ((column + float(a)) * stride, (line + float(b)) * stride) for a, b in moved.reshape(5, 2)
                ]
    return found


def yolov5_face(outputs: list[Any], score_min: float, points: Points) -> list[slow.Candidate]:
    found = []
    for row in outputs[0][0]:
        box, score = slow.corners(*(float(value) for value in row[:4])), float(row[4]) * float(row[15])
        if score >= score_min:
            found.append((0, score, box))
            points[box] = [(float(x), float(y)) for x, y in row[5:15].reshape(5, 2)]
    return found


def by_level(
    outputs: list[Any], score_min: float, _points: Points, *, strides: tuple[int, ...]
) -> list[slow.Candidate]:
    found = []
    for level, stride in enumerate(strides):
        per_class, sides_of = (outputs[at].reshape(-1, outputs[at].shape[-1]) for at in (level, level + len(strides)))
        for row, (scores, table) in enumerate(zip(per_class, sides_of, strict=True)):
            x, y = (row % (HW[1] // stride) + 0.5) * stride, (row // (HW[1] // stride) + 0.5) * stride
            sides = []
            for bins in table.reshape(4, 8).astype(np.float64):
                powers = np.exp(bins - bins.max())
                sides.append(float((powers / powers.sum()) @ np.arange(8)) * stride)
            best = int(scores.argmax())
            if scores[best] >= score_min:
                found.append((best, float(scores[best]), (x - sides[0], y - sides[1], x + sides[2], y + sides[3])))
    return found


PLUS = (8, 16, 32, 64)
SOFTMAXED, LOGITS = partial(retinaface, softmax=False), partial(retinaface, softmax=True)
NUMBERED = partial(by_stride.levels_of_bins, named=False)
RGB = {"feed": input_fields("rgb/imagenet")}
AS_NANO = {"feed": input_fields("bgr/imagenet")}
# what it is, graph, what is passed, how the original is fed, second decoder, task
RIGHT: list[Any] = [
    ("retinaface", strangers.retinaface, {}, BGR_MEANS, SOFTMAXED, "pose"),
    ("retinaface-logits", partial(strangers.retinaface, softmax=False), {}, BGR_MEANS, LOGITS, "pose"),
    ("retinaface-boxes", partial(strangers.retinaface, landmarks=False), {}, BGR_MEANS, SOFTMAXED, "detection"),
    ("scrfd-landmarks", by_stride.scrfd, {}, SCRFD, scrfd, "pose"),
    ("scrfd-unsure", partial(by_stride.scrfd, scale=2.0, unsure=0.3), {}, SCRFD, scrfd, "pose"),
    ("scrfd", partial(by_stride.scrfd, landmarks=False), {}, SCRFD, scrfd, "detection"),
    ("yunet-landmarks", partial(models.yunet, hw=HW), {}, BGR, yunet, "pose"),
    ("yolov5-face", strangers.yolov5_face, {}, UNIT, yolov5_face, "pose"),
    (
        "nanodet-levels",
        by_stride.levels_of_bins,
        {},
        NANO,
        partial(by_level, strides=(8, 16, 32)),
        "detection",
    ),
    (
        "nanodet-first",
        partial(NUMBERED, batch=False),
        AS_NANO,
        NANO,
        partial(by_level, strides=(8, 16, 32)),
        "detection",
    ),
    ("picodet", partial(NUMBERED, strides=PLUS), RGB, IMAGENET, partial(by_level, strides=PLUS), "detection"),
]


@pytest.mark.parametrize(
    ("build", "passed", "feed", "decode", "task"), [case[1:] for case in RIGHT], ids=[case[0] for case in RIGHT]
)
def test_boxes_and_landmarks_are_those_of_a_plain_decoding(
    tmp_path: Path, build: Any, passed: dict[str, Any], feed: dict[str, Any], decode: Any, task: str
) -> None:
    original = models.save(build(), tmp_path)
    bundle = load_bundle(import_model(original, tmp_path / "bundle", **passed))
    card = bundle.card
    assert card.task == task
    picture, points = scene(HW, seed=3), {}
    before = run_original(original, picture, feed, [output.name for output in card.outputs])
    expected = slow.suppress(decode(before, 0.3, points), 0.45)
    with open_engine(bundle) as engine:
        found = make_decoder(card)(engine.run(picture), score_min=0.3, iou_max=0.45)
    assert len(expected) >= 1, "the tiny model sees nothing: the comparison proves nothing"
    assert_same(found, expected)
    assert (found.keypoints is not None) == (task == "pose")
    for box, own, score in zip(found.boxes_xyxy, found.keypoints if task == "pose" else (), found.scores, strict=False):
        nearest = min(points, key=lambda one: float(np.abs(np.array(one) - box).max()))
        assert own[:, :2] == pytest.approx(np.array(points[nearest]), abs=0.05)
        assert own[:, 2] == pytest.approx(score, abs=1e-6)


REFUSED: list[Any] = [
    ("retinaface-shares", partial(strangers.retinaface, boxes="shares"), {}, "its boxes are not offsets from priors"),
    ("retinaface-unfed", partial(strangers.retinaface, reach=1.0), {}, r"looks like retinaface .*pass --input"),
    ("levels-unfed", NUMBERED, {}, r"looks like nanodet .*pass --input"),
    ("levels-logits", partial(by_stride.levels_of_bins, shares=False), {}, "the scores are not in 0..1"),
    (
        "levels-named",
        by_stride.levels_of_bins,
        {"labels": ["a"]},
        "1 names were passed; pass 3 with --labels",
    ),
]


@pytest.mark.parametrize(("build", "passed", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_only_looks_so_is_refused_with_what_to_pass(
    tmp_path: Path, build: Any, passed: dict[str, Any], says: str
) -> None:
    with pytest.raises(ModelUnrecognisedError, match=says):
        import_model(models.save(build(), tmp_path), tmp_path / "bundle", **passed)
