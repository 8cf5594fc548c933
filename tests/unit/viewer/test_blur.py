"""Pixels of a blurred class are in no picture of the viewer, and so in none of its timeline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from vigie.contracts.blur import Blur
from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie.contracts.frames import FrameItem
from vigie.contracts.pixels import InlineJpeg
from vigie.frames import RingPool, RingWriter
from vigie_viewer.encode import encode
from vigie_viewer.picture import Picture

HW = (120, 160)
BOX = (40.0, 30.0, 80.0, 90.0)


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[tuple[RingWriter, RingPool]]:
    with RingWriter.open(tmp_path, "dock", slot_bytes=HW[0] * HW[1] * 3, slots=4) as writer, RingPool(tmp_path) as pool:
        yield writer, pool


def stripes() -> np.ndarray:
    return np.repeat(np.tile(np.where(np.arange(HW[1]) // 2 % 2, 255, 0).astype(np.uint8), (HW[0], 1))[..., None], 3, 2)


def frame(pixels: object, *, blur: bool = True) -> FrameItem:
    item = FrameItem("dock", 1, "dock-b-1", "2026-01-01T00:00:00Z", time.monotonic_ns(), HW, pixels)  # type: ignore[arg-type]
    return msgspec.structs.replace(item, blur=Blur(("person",))) if blur else item


def found(boxes: tuple[tuple[float, float, float, float], ...] | None) -> DetectionsItem:
    person = Detection("person", 0, 0.9, BOX, track="t-1")
    timings = StageTimings(1.0, 2.0, 3.0)
    return DetectionsItem("dock", 1, "dock-b-1", "2026-01-01T00:00:00Z", 0, HW, "m/1", [person], timings, blur=boxes)


def contrast(jpeg: bytes, box: tuple[float, ...]) -> int:
    grey = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    scale = grey.shape[1] / HW[1]
    left, top, right, bottom = (round(side * scale) for side in box)
    return int(np.abs(np.diff(grey[top:bottom, left:right].astype(int), axis=1)).max())


@pytest.mark.parametrize("width", [160, 80])
def test_what_inference_found_is_blurred_and_the_rest_is_shown(ring: tuple[RingWriter, RingPool], width: int) -> None:
    writer, pool = ring
    item = frame(writer.write(stripes()))
    jpeg = encode(item, found((BOX,)), {width}, pool, quality=90)[width]
    assert contrast(jpeg, BOX) < 60
    assert contrast(jpeg, (100, 10, 150, 110)) > 150
    assert Picture(item, found((BOX,)), width, jpeg).head()["blurred"] == "classes"


@pytest.mark.parametrize("seen", [None, found(None)], ids=["no detections", "class unknown"])
def test_without_knowing_where_it_is_the_whole_picture_is_blurred_and_says_so(
    ring: tuple[RingWriter, RingPool], seen: DetectionsItem | None
) -> None:
    writer, pool = ring
    item = frame(writer.write(stripes()))
    jpeg = encode(item, seen, {160}, pool, quality=90)[160]
    assert contrast(jpeg, (0, 0, 160, 120)) < 60
    assert Picture(item, seen, 160, jpeg).head()["blurred"] == "everything"


def test_a_jpeg_from_another_host_is_not_passed_on_as_it_is(ring: tuple[RingWriter, RingPool]) -> None:
    jpeg = cv2.imencode(".jpg", stripes())[1].tobytes()
    item = frame(InlineJpeg(jpeg, (*HW, 3), HW))
    assert contrast(encode(item, found((BOX,)), {160}, ring[1], quality=90)[160], BOX) < 60
    plain = frame(InlineJpeg(jpeg, (*HW, 3), HW), blur=False)
    assert encode(plain, None, {160}, ring[1], quality=90)[160] == jpeg
