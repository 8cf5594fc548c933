"""The consumers of docs/frames.md run as printed: on real routes, beside nothing of ours, fed by a real sender."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from support.hub import HubProcess, manifest, route, running_hub
from support.mean_hub import until
from support.module_a import module
from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie.contracts.frames import FrameItem
from vigie.frames import RingWriter

PAGE = Path(__file__).parents[3] / "docs/frames.md"
DETECTIONS, FRAMES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubProcess]:
    routes = {"frames": route("a/frames", "b/frames"), "detections": route("a/detections", "b/detections")}
    with running_hub(tmp_path / "h", manifest(routes, modules=["a", "b"])) as running:
        for variable, value in running.environment("a").items():
            monkeypatch.setenv(variable, value)
        yield running


@contextmanager
def consumer(script: str, hub: HubProcess, folder: Path) -> Iterator[Path]:
    """The script as module ``b``; yields the file with what it prints."""
    printed = folder / "printed"
    environment = {**os.environ, **hub.environment("b"), "VIGIE_FRAMES": str(folder / "frames")}
    with printed.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-c", script], stdout=out, env=environment)
    try:
        yield printed
    finally:
        process.kill()
        process.wait()


async def test_the_consumer_of_detections_prints_what_was_seen(hub: HubProcess, tmp_path: Path) -> None:
    seen = Detection("bottle", 39, 0.875, (1.0, 2.0, 30.4, 40.0))
    timings = StageTimings(preprocessed_ms=1.0, inferred_ms=2.0, inference_ms=1.0)
    item = DetectionsItem("dock", 3, "dock-1-3", "2026-11-28T13:00:00Z", 5, (48, 64), "m", [seen], timings)
    async with module(tmp_path) as service:
        output = service.output("detections", ("sync", "detections"), item_type=DetectionsItem, doorbell=True)
        await service.start()
        with consumer(DETECTIONS, hub, tmp_path) as printed:
            output.offer(item, key="dock", keep=True)
            await until(printed.read_text)
            assert printed.read_text().splitlines()[0] == "dock dock-1-3 bottle 0.88 1, 2, 30, 40"


async def test_the_consumer_of_frames_sees_the_pixels(hub: HubProcess, tmp_path: Path) -> None:
    picture_bgr = np.full((48, 64, 3), 117, np.uint8)
    with RingWriter.open(tmp_path / "frames", "dock", slot_bytes=picture_bgr.nbytes, slots=4) as ring:
        pixels = ring.write(picture_bgr)
        assert pixels is not None
        item = FrameItem("dock", 0, "dock-1-0", "2026-11-28T13:00:00Z", 5, (48, 64), pixels)
        async with module(tmp_path) as service:
            output = service.output("frames", ("preprocess", "frames"), item_type=FrameItem, doorbell=True)
            await service.start()
            with consumer(FRAMES, hub, tmp_path) as printed:
                output.offer(item, key="dock", keep=True)
                await until(printed.read_text)
                assert printed.read_text().splitlines()[0] == "dock 0 (48, 64, 3) 117.0"
