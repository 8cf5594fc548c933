"""The real YOLOX-nano: imported, run on real pictures, compared with an independent plain loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.data import real_input
from support.reference_detector import NAMES, Found, ReferenceDetector
from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie.vision.letterbox import letterbox_into
from vigie_devkit.models import import_model
from vigie_devkit.models.labels import COCO80
from vigie_devkit.models.verify import verify_bundle

SCORE, IOU = 0.4, 0.45


class Product:
    """Letterbox, engine and decoder of an imported bundle, as the modules use them."""

    def __init__(self, folder: Path) -> None:
        self.bundle = load_bundle(folder)
        self.card = self.bundle.card
        self.engine = open_engine(self.bundle)
        self.decoder = make_decoder(self.card)
        self.tensor = np.empty(self.engine.input_shape[1:], np.uint8)

    def detect(self, frame_bgr: np.ndarray) -> list[Found]:
        at = letterbox_into(frame_bgr, self.tensor, align=self.card.input.align, pad_value=self.card.input.pad_value)
        found = self.decoder(self.engine.run(self.tensor), score_min=SCORE, iou_max=IOU)
        boxes = at.to_frame(found.boxes_xyxy, frame_bgr.shape[:2]).tolist()
        return [
            (self.card.labels[class_id], score, tuple(box))
            for class_id, score, box in zip(found.class_ids.tolist(), found.scores.tolist(), boxes, strict=True)
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return import_model(real_input("yolox_nano.onnx"), tmp_path_factory.mktemp("bundles") / "yolox_nano")


@pytest.fixture
def product(folder: Path) -> Iterator[Product]:
    made = Product(folder)
    yield made
    made.engine.close()


@pytest.fixture
def plain() -> ReferenceDetector:
    return ReferenceDetector(real_input("yolox_nano.onnx"), score=SCORE, iou=IOU)


def test_it_is_recognised_and_says_what_was_assumed(folder: Path) -> None:
    card = load_bundle(folder).card
    assert (card.decoder.family, card.decoder.params, card.input.align) == ("yolox", {}, "top_left")
    assert (card.input.height, card.input.width, card.labels, card.labels_from) == (416, 416, COCO80, "assumed-coco80")
    assert list(COCO80) == NAMES
    assert card.source.steps[0] == "opset 11 raised to 17"
    assert len(list(verify_bundle(folder))) == 2


def test_eight_people_are_seen(product: Product, plain: ReferenceDetector) -> None:
    frame = cv2.imread(str(real_input("people1.jpeg")))
    found = product.detect(frame)
    strong = [one for one in found if one[1] >= 0.7]
    assert [label for label, _, _ in strong] == ["person"] * 8
    assert_same(found, plain.frame(frame))


@pytest.mark.parametrize(
    ("clip", "label", "counts"),
    [("bottle-detection.mp4", "bottle", {2, 3}), ("one-by-one-person-detection.mp4", "person", {0, 1})],
    ids=["bottles", "persons"],
)
def test_every_tenth_frame_of_a_clip_is_as_the_plain_loop_sees_it(
    product: Product, plain: ReferenceDetector, clip: str, label: str, counts: set[int]
) -> None:
    capture = cv2.VideoCapture(str(real_input(clip)))
    seen = Counter[int]()
    for number in range(200):
        read, frame = capture.read()
        assert read
        if number % 10:
            continue
        found = product.detect(frame)
        assert_same(found, plain.frame(frame))
        seen[sum(one[0] == label for one in found)] += 1
    capture.release()
    assert set(seen) <= counts


def assert_same(found: list[Found], expected: list[Found]) -> None:
    """Same classes in the same order; scores to 1e-3; boxes to 2 px.

    The plain loop divides by one ratio for both axes, the product by each axis' real scale: they differ where the
    resized height was rounded, by less than one tensor pixel (2 px in these frames).
    """
    assert [label for label, _, _ in found] == [label for label, _, _ in expected]
    for (_, score, box), (_, other_score, other_box) in zip(found, expected, strict=True):
        assert score == pytest.approx(other_score, abs=1e-3)
        assert box == pytest.approx(other_box, abs=2.0)
