"""A frame in several views: every view is run, the answer is one, and there is none where a view is missing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from support import models
from support.inference import FRAME_HW, Bench, apart_from_tracks, inference, picture
from support.modules import until
from vigie.contracts.detections import Detection, DetectionsItem
from vigie.contracts.tensors import FrameTransform, TensorItem, View
from vigie.frames import RingWriter
from vigie_devkit.models.importer import import_model

HW = (64, 96)
# Two halves of the frame, each fitted into a tensor one to one, and no pixel in both.
HALVES = (
    View((0.0, 0.0, 96.0, 64.0), FrameTransform(1.0, 1.0, 0.0, 0.0)),
    View((96.0, 64.0, 192.0, 128.0), FrameTransform(1.0, 1.0, -96.0, -64.0)),
)


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


def send_views(bench: Bench, ring: RingWriter, tensors: np.ndarray, spec_version: str, views: tuple[View, ...]) -> None:
    reference = ring.write(tensors)
    assert reference is not None
    bench.seq += 1
    bench.tensors.send(
        TensorItem(
            "dock",
            bench.seq,
            f"dock-0badc0de-{bench.seq}",
            "2026-01-01T00:00:00.000000+00:00",
            time.monotonic_ns(),
            FRAME_HW,
            views[0].transform,
            spec_version,
            reference,
            1.0,
            views=views,
        )
    )


async def answered(bench: Bench) -> DetectionsItem:
    seq = bench.seq
    found: DetectionsItem = await until(lambda: next((one for one in bench.results() if one.seq == seq), None))
    return found


def shifted(found: list[Detection], by_xy: tuple[float, float]) -> list[tuple[str, float, tuple[float, ...]]]:
    return [
        (one.label, one.score, tuple(round(side + by_xy[axis % 2], 1) for axis, side in enumerate(one.box_xyxy)))
        for one in found
    ]


async def test_what_two_views_show_is_one_result_in_pixels_of_the_frame(bench: Bench, bundle: Path) -> None:
    spec = await bench.serve(bundle, score=0.3)
    assert spec.views
    with RingWriter.open(bench.service.env.frames, "tiles-2", slot_bytes=2 * 64 * 96 * 3, slots=4) as ring:
        first, second = picture(1, HW), picture(2, HW)
        singly = []
        for tensor in (first, second):
            bench.send(tensor, spec.version)
            singly.append(apart_from_tracks((await answered(bench)).detections))
        send_views(bench, ring, np.stack([first, second]), spec.version, HALVES)
        both = await answered(bench)
    # Single tensors were answered with the half scale of the bench: in the tensor's own pixels they are half as far.
    expected = [
        (label, score, tuple(round(side / 2 + (96, 64)[axis % 2] * number, 1) for axis, side in enumerate(box)))
        for number, found in enumerate(singly)
        for label, score, box in shifted(found, (0, 0))
    ]
    assert len(expected) > 2, "the tiny model sees nothing: the test would prove nothing"
    got = shifted(apart_from_tracks(both.detections), (0, 0))
    assert [score for _, score, _ in got] == sorted((score for _, score, _ in expected), reverse=True)
    for label, score, box in got:
        assert any(
            (label, score) == (name, sure) and box == pytest.approx(place, abs=0.2) for name, sure, place in expected
        )
    runs = 'vigie_inference_seconds_count{model="' + spec.version + '"}'
    assert bench.service.metrics.values()[runs] == 4


async def test_a_frame_that_lacks_a_promised_view_is_not_answered(bench: Bench, bundle: Path) -> None:
    spec = await bench.serve(bundle, score=0.3)
    with RingWriter.open(bench.service.env.frames, "tiles-2", slot_bytes=2 * 64 * 96 * 3, slots=4) as ring:
        three = (*HALVES, HALVES[0])
        send_views(bench, ring, np.stack([picture(1, HW)] * 2), spec.version, three)
        await until(lambda: bench.dropped("inference_failed") == 1)
        send_views(bench, ring, np.stack([picture(1, HW)] * 2), spec.version, HALVES)
        result = await answered(bench)
    assert [result.seq] == [one.seq for one in bench.results()]


async def test_a_classifier_asks_for_no_views(tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    classifier = import_model(
        models.save(models.classifier(HW, softmax=True), folder, "kinds.onnx"),
        folder / "kinds",
        name="kinds",
        labels=list("abcde"),
        trust=True,
    )
    async with inference(tmp_path / "run") as bench:
        assert not (await bench.serve(classifier)).views
