"""The viewer module in this process, on the hub in memory, with modules played around it and a real Chromium before it.

A camera draws one bright rectangle whose place is known; its claim goes through a real ring, its box through a message.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Browser, Page, async_playwright

from support.modules import Sender, environment, task
from support.viewer import module_status
from vigie.config.schema import config_schema
from vigie.contracts import names
from vigie.contracts.detections import Detection, DetectionsItem, Mask, StageTimings
from vigie.contracts.events import EventItem
from vigie.contracts.frames import FrameItem
from vigie.contracts.told import Told
from vigie.frames import RingWriter
from vigie.messaging.memory import MemoryHub
from vigie.service import open_service
from vigie_viewer.config import ViewerConfig
from vigie_viewer.settings import PageSettings
from vigie_viewer.wiring import run_viewer

CHROMIUM = Path("/usr/bin/chromium")
HW = (360, 640)


class Camera:
    """One camera and the inference behind it. ``label``: of its one object."""

    def __init__(self, house: House, name: str, label: str = "nut") -> None:
        self.name, self.label = name, label
        self.seq = -1
        self.box = (0, 0, 0, 0)
        # Of its object, from the next frame on.
        self.track: str | None = None
        self.keypoints: tuple[tuple[float, float, float], ...] = ()
        self.mask: Mask | None = None
        # Behind the object, (height, width, 3): noise makes a picture that does not compress.
        self.background: NDArray[np.uint8] | None = None
        # All that is seen, in place of the rectangle.
        self.found: list[Detection] | None = None
        # Its frames come at this distance whenever they are shown; None: when they are shown is their time.
        self.period_ns: int | None = None
        self._captured_ns = time.monotonic_ns()
        self._house = house
        self._ring = RingWriter.open(house.frames, f"camera.{name}", slot_bytes=HW[0] * HW[1] * 3, slots=8)

    def show(self, *, detections: bool = True) -> None:
        """Capture and infer one frame; the rectangle moves."""
        self.seq += 1
        left, top = 40 + (self.seq * 7) % 400, 30 + (self.seq * 3) % 200
        self.box = (left, top, left + 120, top + 80)
        frame_bgr = np.full((*HW, 3), 24, np.uint8) if self.background is None else self.background.copy()
        if self.found is None:
            frame_bgr[top : top + 80, left : left + 120] = 250
        self._captured_ns = time.monotonic_ns() if self.period_ns is None else self._captured_ns + self.period_ns
        frame = FrameItem(
            camera=self.name,
            seq=self.seq,
            trace=f"{self.name}-0badc0de-{self.seq}",
            captured_at="2026-11-28T10:00:00.000000Z",
            captured_ns=self._captured_ns,
            frame_hw=HW,
            pixels=self._ring.write(frame_bgr),
        )
        self._house.preview.send(frame)
        if detections:
            left, top, right, bottom = self.box
            found = Detection(
                self.label, 0, 0.87, (float(left), float(top), float(right), float(bottom)), track=self.track,
                keypoints=self.keypoints, mask=self.mask,
            )  # fmt: skip
            self._house.overlay.send(
                DetectionsItem(
                    camera=frame.camera, seq=frame.seq, trace=frame.trace, captured_at=frame.captured_at,
                    captured_ns=frame.captured_ns, frame_hw=HW, model="parts/1",
                    detections=[found] if self.found is None else self.found,
                    timings=StageTimings(2.0, 12.0, 8.0),
                )
            )  # fmt: skip

    def close(self) -> None:
        self._ring.close()


class House:
    """Everything around the viewer."""

    def __init__(self, hub: MemoryHub, frames: Path, address: str) -> None:
        self.hub, self.frames, self.address = hub, frames, address
        self.preview = Sender(hub, names.CAMERA, names.PREVIEW, "vigie.frames/1")
        self.overlay = Sender(hub, names.INFERENCE, names.OVERLAY, "vigie.detections/1")
        self.statuses = {name: Sender(hub, name, names.STATUS, "vigie.status/1") for name in names.FLOW}
        self.timeline = Sender(hub, names.SYNC, names.TIMELINE, "vigie.told/1")
        self.trial = Sender(hub, names.INFERENCE, names.TRIAL, "vigie.detections/1")
        self.events_told = 0
        self.cameras: dict[str, Camera] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.silent: set[str] = set()
        self.extra: dict[str, dict[str, Any]] = {}

    def add(self, name: str, label: str = "nut") -> Camera:
        self.cameras[name] = Camera(self, name, label)
        self.states[name] = {"state": "streaming", "source": "synthetic://conveyor", "size": "640x360", "fps": 10.0}
        return self.cameras[name]

    def demands(self) -> list[dict[str, Any]]:
        """What the viewer has asked for since the last look."""
        waiting = self.hub.module("listener").waiting
        found = []
        while waiting:
            found += msgspec.json.decode(waiting.popleft().body)["items"]
        return found

    def happen(self, event: EventItem, *counts: int) -> None:
        """Sync tells of an event."""
        self.events_told += 1
        self.timeline.send(Told("0badc0de", self.events_told, event, counts))

    def tell(self) -> None:
        """Every module says how it is."""
        desired = {"cameras": {name: {"source": "synthetic://conveyor"} for name in self.states}}
        for name in names.FLOW:
            if name in self.silent:
                continue
            fields: dict[str, Any] = {"metrics": {"vigie_hub_connected": 1.0}, **self.extra.get(name, {})}
            if name == names.CAMERA:
                from vigie_camera.config import CameraConfig

                fields |= {"desired": desired, "reported": {"camera_state": self.states}}
                fields["schema"] = config_schema(CameraConfig)
            if name == names.PREPROCESS:
                from vigie_preprocess.config import PreprocessConfig

                fields["schema"] = config_schema(PreprocessConfig)
            self.statuses[name].send(module_status(name, **fields))

    async def run(self, fps: float = 12.0) -> None:
        """Cameras that stream stream; modules answer twice a second."""
        told_at = 0.0
        while True:
            for name, camera in self.cameras.items():
                if self.states[name]["state"] == "streaming":
                    camera.show()
            if time.monotonic() - told_at > 0.5:
                told_at = time.monotonic()
                self.tell()
            await asyncio.sleep(1 / fps)


@contextmanager
def free_port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@asynccontextmanager
async def viewer_house(
    folder: Path, *, token: str | None = None, hub_service: Path | None = None, model_desk: Path | None = None
) -> AsyncIterator[House]:
    """The viewer, serving; the modules around it say nothing until asked to."""
    routes = {
        (names.CAMERA, names.PREVIEW): (names.VIEWER, names.FRAMES),
        (names.INFERENCE, names.OVERLAY): (names.VIEWER, names.DETECTIONS),
        (names.VIEWER, names.DEMAND): ("listener", names.DEMAND),
        (names.SYNC, names.TIMELINE): (names.VIEWER, names.EVENTS),
        (names.INFERENCE, names.TRIAL): (names.VIEWER, names.TRIAL),
        **{(name, names.STATUS): (names.VIEWER, names.STATUS) for name in names.FLOW},
    }
    hub = MemoryHub(routes)
    env = environment(names.VIEWER, folder)
    with free_port() as port:
        pass
    settings = PageSettings("127.0.0.1", port, None, token, None, hub_service, model_desk)
    house = House(hub, env.frames, f"http://127.0.0.1:{port}")
    try:
        async with (
            open_service(env, ViewerConfig, make_link=hub.link(names.VIEWER)) as service,
            task(run_viewer(service, settings)),
        ):
            await _served(port)
            yield house
    finally:
        for camera in house.cameras.values():
            camera.close()


async def _served(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert time.monotonic() < deadline, "the page is not served"
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


@asynccontextmanager
async def browser_page(house: House, **context: Any) -> AsyncIterator[Page]:
    """A page of the viewer in Chromium. Errors in its console end the test; so does a request to anywhere else."""
    async with async_playwright() as driver:
        browser: Browser = await driver.chromium.launch(executable_path=str(CHROMIUM))
        try:
            made = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context})
            page = await made.new_page()
            page.set_default_timeout(30_000)
            wrong: list[str] = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
            page.on("request", lambda asked: wrong.append(asked.url) if not _own(asked.url, house) else None)
            page.wrong = wrong  # type: ignore[attr-defined]
            yield page
        finally:
            await browser.close()


def _own(url: str, house: House) -> bool:
    return url.startswith((house.address, house.address.replace("http", "ws"), "blob:", "data:"))
