"""Pictures of the main states of the viewer's page, to be looked at: modules are played, pictures are of the renderer.

cd tests && PYTHONPATH=. ../.venv/bin/python support/page_states.py /tmp/states
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from playwright.async_api import Page

from support.viewer_page import HW, Camera, House, browser_page, viewer_house
from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie.contracts.events import CameraDown, ZoneEvent
from vigie.synthetic import open_scene

LIVE = '.tile[data-state="live"]'
ENGINE = "onnxruntime-cpu/int8/2t"
ZONE = {"pick": {"points": [[0.3, 0.07], [0.62, 0.07], [0.62, 0.93], [0.3, 0.93]]}}
LINE = {"gate": {"points": [[0.82, 0.07], [0.82, 0.93]]}}


class Belt(Camera):
    """A camera over a belt; what it sees is what is there."""

    def __init__(self, house: House, name: str, seed: int) -> None:
        super().__init__(house, name)
        self._scene = open_scene(f"synthetic://conveyor?seed={seed}&fps=15&size=640x360")
        self._numbers: dict[object, int] = {}

    def _number(self, part: object) -> int:
        return self._numbers.setdefault(part, len(self._numbers) + 1)

    def show(self, *, detections: bool = True) -> None:
        self.background = self._scene.render(self.seq + 1)
        self.found = [
            Detection(
                one.label,
                0,
                0.97 - 0.4 * one.occlusion,
                tuple(map(float, one.box_xyxy)),
                track=f"0badc0de-{self._number(one.part)}",
            )  # type: ignore[arg-type]
            for one in self._scene.truth(self.seq + 1)
        ]
        super().show(detections=detections)


async def save(page: Page, folder: Path, name: str, settle_s: float = 2.5) -> None:
    await asyncio.sleep(settle_s)
    await page.screenshot(path=folder / f"{name}.png")


def event(number: int, label: str, **changes: Any) -> ZoneEvent:
    fields: dict[str, Any] = {
        "key": f"{number}/new", "id": str(number), "phase": "new", "camera": "dock", "trace": "x",
        "at": f"2026-11-28T10:00:{number:02}.0Z", "started_at": f"2026-11-28T10:00:{number:02}.0Z", "seconds": 0.4,
        "zone": "pick", "track": f"0badc0de-{number}", "label": label, "inside": 3,
    }  # fmt: skip
    return ZoneEvent(**{**fields, **changes})


def live(house: House) -> None:
    """What a healthy device says."""
    house.extra["sync"] = {"desired": {"cameras": {"dock": {"zones": ZONE, "lines": LINE}}, "upstream": "events"}}
    house.extra["inference"] = {
        "desired": {"score": 0.4},
        "reported": {
            "model_state": {"id": "conveyor-parts 1", "shelf": ["conveyor-parts", "bottles", "persons"]},
            "runtime_state": {
                "phase": "serving",
                "serving": {"candidate": ENGINE, "provider": "CPUExecutionProvider", "verdict": "proven"},
                "reasons": ["fastest of 6 candidates that agree with the reference"],
                "measured": [{"candidate": ENGINE, "p50_ms": 6.1, "p95_ms": 8.3, "mb": 92.0, "agreement": 0.998}],
                "energy": "unavailable",
            },
        },
    }  # fmt: skip


async def states(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        async with viewer_house(Path(scratch)) as house:
            dock = house.cameras["dock"] = Belt(house, "dock", 3)
            house.states["dock"] = {
                "state": "streaming",
                "source": "rtsp://10.0.0.7/stream1",
                "size": "640x360",
                "fps": 10.0,
            }
            live(house)
            flow = asyncio.create_task(house.run(8))
            await one_camera(house, folder)
            for seed, name in enumerate(("gate", "yard", "ramp"), 4):
                house.cameras[name] = Belt(house, name, seed)
                house.states[name] = {**house.states["dock"], "source": f"rtsp://10.0.0.{seed}/stream1"}
            await four_cameras(house, folder)
            flow.cancel()
            with suppress(asyncio.CancelledError):
                await flow
            assert dock.seq > 0


async def one_camera(house: House, folder: Path) -> None:
    for scheme in ("light", "dark"):
        async with browser_page(house, color_scheme=scheme) as page:
            await page.goto(house.address)
            await page.wait_for_selector(LIVE, timeout=120_000)
            house.happen(event(1, "nut"), 3, 40, 37)
            house.happen(event(2, "bolt", severity="alert"), 4, 41, 37)
            await save(page, folder, f"one-{scheme}")
            for view in ("health", "models", "timeline"):
                await page.evaluate(f"location.hash = '/{view}'")
                await save(page, folder, f"{view}-{scheme}", 4.0)
    async with browser_page(house) as page:
        await page.goto(house.address)
        await page.wait_for_selector(LIVE, timeout=120_000)
        await page.get_by_role("button", name="Edit").click()
        await page.get_by_role("button", name="Zone").click()
        box = await page.locator(".drawing").bounding_box()
        assert box is not None
        for x, y in ((0.66, 0.2), (0.95, 0.2), (0.95, 0.8), (0.66, 0.8), (0.66, 0.2)):
            await page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        await page.locator(".range input").fill("0.9")
        await save(page, folder, "editing")
        await page.goto(f"{house.address}/#/setup")
        await save(page, folder, "setup")
    house.extra["inference"]["reported"]["update_state"] = {
        "phase": "shadowing", "name": "conveyor-parts", "version": "2", "since": "2026-11-28T09:58:00Z",
        "progress": 0.62,
        "serving": {"name": "conveyor-parts", "version": "1"}, "reason": "420 of 600 frames compared",
        "trial": {"frames": 420, "matched": 3120, "flipped": 4, "missing": 12, "new": 9, "agreement": 0.9941,
                  "run_ms": 6.0, "serving_run_ms": 6.2},
    }  # fmt: skip
    async with browser_page(house) as page:
        await page.goto(f"{house.address}/#/models")
        await save(page, folder, "update-running", 4.0)
    del house.extra["inference"]["reported"]["update_state"]
    await try_out(house, folder)


async def try_out(house: House, folder: Path) -> None:
    """A second model on the same frames: it misses some, and sees the rest a little beside."""
    house.extra["inference"]["reported"]["tryout_state"] = {
        "phase": "running", "model": "bottles on trial", "engine": "onnxruntime-cpu/fp32/1t",
        "trial": {"frames": 40, "matched": 120, "flipped": 1, "missing": 2, "new": 3, "agreement": 0.9721,
                  "run_ms": 12.5, "serving_run_ms": 6.2},
    }  # fmt: skip
    dock = house.cameras["dock"]

    async def compare() -> None:
        last = 0
        while True:
            await asyncio.sleep(0.02)
            if dock.seq == last:
                continue
            last = dock.seq
            moved = [
                msgspec.structs.replace(one, box_xyxy=tuple(side + 3 for side in one.box_xyxy)) for one in dock.found
            ]
            house.trial.send(
                DetectionsItem(
                    "dock", last, f"dock-0badc0de-{last}", "2026-11-28T10:00:00.000000Z", 0, HW,
                    "bottles on trial", moved[1:], StageTimings(1.0, 2.0, 12.5),
                )
            )  # fmt: skip

    comparing = asyncio.create_task(compare())
    try:
        for scheme in ("light", "dark"):
            async with browser_page(house, color_scheme=scheme) as page:
                await page.goto(f"{house.address}/#/models")
                await save(page, folder, f"try-out-{scheme}", 6.0)
    finally:
        comparing.cancel()
    del house.extra["inference"]["reported"]["tryout_state"]


async def four_cameras(house: House, folder: Path) -> None:
    async with browser_page(house) as page:
        await page.goto(house.address)
        await page.wait_for_function("() => true")
        await page.wait_for_selector(LIVE, timeout=120_000)
        await save(page, folder, "four", 6.0)
        house.states["gate"] = {"state": "failed", "reason": "nothing listens at 10.0.0.4:554; is the camera on?"}
        house.happen(
            CameraDown(
                key="event/camera-down/new/1", id="o", phase="new", camera="gate", severity="alert", cause="refused",
                at="2026-11-28T10:01:00.0Z", started_at="2026-11-28T10:01:00.0Z", seconds=0.0,
            )
        )  # fmt: skip
        await save(page, folder, "dead-camera", 6.0)
    phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
    async with browser_page(house, **phone) as page:
        await page.goto(house.address)
        await page.wait_for_selector(LIVE, timeout=120_000)
        await save(page, folder, "phone", 4.0)
        await page.evaluate("location.hash = '/live/dock'")
        await save(page, folder, "phone-one", 4.0)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(states(target))
