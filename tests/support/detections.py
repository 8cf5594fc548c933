"""Detections as inference sends them."""

from __future__ import annotations

import time

import msgspec

from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie.contracts.envelope import DETECTIONS, Envelope

MODEL = "tiny@1"


def make_item(
    seq: int, *, camera: str = "dock", boot: str = "0badcafe", labels: tuple[str, ...] = ("bottle",)
) -> DetectionsItem:
    found = [Detection(label, n, 0.875, (1.0, 2.0, 30.5, 40.25)) for n, label in enumerate(labels)]
    return DetectionsItem(
        camera=camera,
        seq=seq,
        trace=f"{camera}-{boot}-{seq}",
        captured_at="2026-11-20T12:00:00.000000Z",
        captured_ns=time.monotonic_ns(),
        frame_hw=(720, 1280),
        model=MODEL,
        detections=found,
        timings=StageTimings(1.0, 8.0, 6.5),
    )


def detections_message(sent: int, items: list[DetectionsItem], *, boot: str = "1badcafe") -> bytes:
    return msgspec.json.encode(Envelope(str(DETECTIONS), "inference", boot, sent, items))
