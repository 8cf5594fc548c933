"""Frames, detections and statuses as the modules would send them."""

from __future__ import annotations

from typing import Any

from vigie.contracts.demand import ModuleStatus
from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie.contracts.frames import FrameItem
from vigie.contracts.pixels import RingReference

PERIOD_NS = 33_333_333


def frame_item(seq: int, *, camera: str = "dock", boot: str = "0badc0de", pixels: Any = None) -> FrameItem:
    return FrameItem(
        camera=camera,
        seq=seq,
        trace=f"{camera}-{boot}-{seq}",
        captured_at="2026-11-28T10:00:00.000000Z",
        captured_ns=1_000_000_000_000 + seq * PERIOD_NS,
        frame_hw=(48, 64),
        pixels=pixels or RingReference("dock.00000001", 0, 2, (48, 64, 3)),
    )


def detections_of(frame: FrameItem, label: str = "nut", score: float = 0.9) -> DetectionsItem:
    return DetectionsItem(
        camera=frame.camera,
        seq=frame.seq,
        trace=frame.trace,
        captured_at=frame.captured_at,
        captured_ns=frame.captured_ns,
        frame_hw=frame.frame_hw,
        model="m/1",
        detections=[Detection(label, 0, score, (8.0, 8.0, 24.0, 40.0), track="0badc0de-7")],
        timings=StageTimings(2.0, 9.0, 6.0),
    )


def module_status(module: str, **changes: Any) -> ModuleStatus:
    fields: dict[str, Any] = {
        "module": module,
        "version": "0.1.0",
        "boot": "0badc0de",
        "uptime_s": 5.0,
        "missing": {},
        "notes": {},
        "twin_version": 1,
        "desired": {},
        "reported": {},
        "metrics": {},
    }
    return ModuleStatus(**{**fields, **changes})
