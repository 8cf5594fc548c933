"""Where what must be blurred is: whatever is passed on, held for a moment, and None where a class is not known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from support import models
from support.inference import AT, FRAME_HW, Bench, inference, picture
from support.modules import until
from vigie.contracts.blur import Blur, BlurAnswer
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.envelope import Envelope
from vigie.contracts.tensors import TensorItem
from vigie.vision.detections import Detections
from vigie_devkit.models.importer import import_model
from vigie_inference.blurring import HELD_S, Blurring, ToBlur

HW = (64, 96)
LABELS = ("car", "person")


def seen(*boxes: tuple[float, float, float, float], class_id: int = 1) -> Detections:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(rows, np.full(len(rows), 0.5, np.float32), np.full(len(rows), class_id, np.int32))


def at(blurring: Blurring, at_s: float, found: Detections, *labels: str, region: Any = None) -> Any:
    to_blur = ToBlur(Blur(labels or ("person",)), found, LABELS, region)
    return blurring.boxes("dock", round(at_s * 1e9), (100, 200), to_blur)


def test_boxes_of_the_classes_to_blur_and_no_others() -> None:
    found = Detections(
        np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32), np.array([0.9, 0.2], np.float32), np.array([0, 1], np.int32)
    )
    assert at(Blurring(), 0, found) == ((5, 6, 7, 8),)


def test_what_was_somewhere_a_moment_ago_is_blurred_there_still_and_then_no_longer() -> None:
    blurring = Blurring()
    at(blurring, 10.0, seen((5, 6, 50, 60)))
    assert at(blurring, 10.0 + HELD_S / 2, seen()) == ((5, 6, 50, 60),)
    assert at(blurring, 10.0 + HELD_S / 2 + 0.01, seen((6, 6, 51, 60))) == ((6, 6, 51, 60),)
    assert at(blurring, 11.0 + HELD_S, seen()) == ()


def test_a_class_that_the_model_does_not_know_is_no_answer() -> None:
    assert at(Blurring(), 0, seen((5, 6, 7, 8)), "person", "face") is None


def test_what_lies_outside_the_region_that_was_looked_at_is_blurred_too() -> None:
    boxes = at(Blurring(), 0, seen(), region=(50.0, 0.0, 200.0, 100.0))
    assert boxes == ((0, 0, 50, 100),)
    assert at(Blurring(), 0, seen(), region=(50.0, 20.0, 150.0, 80.0)) == (
        (0, 0, 200, 20), (0, 80, 200, 100), (0, 20, 50, 80), (150, 20, 200, 80),
    )  # fmt: skip


def test_more_boxes_than_a_message_should_hold_become_one_around_them() -> None:
    many = seen(*((x, y, x + 2, y + 2) for x in range(0, 100, 5) for y in range(0, 100, 5)))
    assert at(Blurring(), 0, many) == ((0, 0, 97, 97),)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    return import_model(
        models.save(models.yolox(HW), folder, "first.onnx"), folder / "first", name="first", labels=list(models.NAMES)
    )


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with inference(tmp_path) as running:
        yield running


def send(bench: Bench, spec_version: str, blur: Blur | None) -> None:
    reference = bench.ring.write(picture(1, HW))
    assert reference is not None
    bench.seq += 1
    bench.tensors.send(
        TensorItem(
            "dock", bench.seq, f"dock-0badc0de-{bench.seq}", "2026-01-01T00:00:00Z", bench.seq * 10**10, FRAME_HW, AT,
            spec_version, reference, 1.0, blur=blur,
        )
    )  # fmt: skip


async def answered(bench: Bench) -> DetectionsItem:
    seq = bench.seq
    found: DetectionsItem = await until(lambda: next((one for one in bench.results() if one.seq == seq), None))
    return found


async def test_what_is_not_passed_on_is_blurred_all_the_same_and_the_camera_that_asks_is_told(
    bench: Bench, bundle: Path
) -> None:
    spec = await bench.serve(bundle, score=0.3)
    send(bench, spec.version, None)
    everything = await answered(bench)
    assert everything.blur is msgspec.UNSET
    label = everything.detections[0].label
    other = next(name for name in models.NAMES if name != label)
    await bench.serve(bundle, score=0.99, classes=[other])
    send(bench, spec.version, Blur((label,), asked=True))
    quiet = await answered(bench)
    assert quiet.detections == []
    assert isinstance(quiet.blur, tuple)
    for one in everything.detections:
        if one.label == label:
            assert any(box == pytest.approx(one.box_xyxy, abs=0.1) for box in quiet.blur)
    [answer] = await until(lambda: answers(bench))
    assert answer == BlurAnswer("dock", bench.seq, quiet.trace, quiet.blur)


async def test_a_class_nobody_knows_is_told_as_such_and_noted_for_the_operator(bench: Bench, bundle: Path) -> None:
    spec = await bench.serve(bundle, score=0.3)
    send(bench, spec.version, Blur(("unicorn",)))
    assert (await answered(bench)).blur is None
    assert "unicorn" in bench.service.health.notes()["blur.dock"]
    send(bench, spec.version, Blur((models.NAMES[0],)))
    assert isinstance((await answered(bench)).blur, tuple)
    assert "blur.dock" not in bench.service.health.notes()
    await asyncio.sleep(0)
    assert answers(bench) == []


def answers(bench: Bench) -> list[BlurAnswer]:
    return [
        item
        for message in bench.hub.upstream
        if message.output == "blur"
        for item in msgspec.json.decode(message.body, type=Envelope[BlurAnswer]).items
    ]
