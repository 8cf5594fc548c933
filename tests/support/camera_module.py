"""The camera module in this process, on the hub in memory, with its frames read as preprocess would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.config import ModuleEnvironment
from vigie.contracts import names
from vigie.contracts.envelope import Envelope
from vigie.contracts.events import CameraEvent
from vigie.contracts.frames import FrameItem
from vigie.demand import offer_demands
from vigie.errors import FrameGoneError
from vigie.frames import CursorWriter, RingPool
from vigie.frames.picture import lease_frame
from vigie.messaging.memory import MemoryHub
from vigie.service import Service, open_service
from vigie.vision.convert import to_bgr
from vigie_camera.blur import take_blur
from vigie_camera.cameras import Cameras
from vigie_camera.config import CameraConfig
from vigie_camera.evidence_store import EvidenceFolder
from vigie_camera.keep import Keeper
from vigie_camera.methods import offer_methods
from vigie_camera.preview import Preview
from vigie_camera.telling import Telling

DEADLINE_S = 30.0


async def until(condition: Callable[[], Any], what: str, timeout_s: float = DEADLINE_S) -> Any:
    """Wait for ``condition`` to be true; returns its value."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {timeout_s} s: {what}")


@dataclass
class Consumer:
    """Stands where preprocess is: takes each message in order, reads its frames, then moves its cursor."""

    hub: MemoryHub
    folder: Path
    paused: bool = False
    items: list[FrameItem] = field(default_factory=list)
    gone: list[FrameItem] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    last: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    # For a benchmark: how old frames are when they come, and nothing else.
    delays_ms: list[float] | None = None

    async def run(self) -> None:
        decoder = msgspec.json.Decoder(Envelope[FrameItem])
        waiting = self.hub.module(names.PREPROCESS).waiting
        cursor = CursorWriter.open(self.folder, sender=names.CAMERA, output=names.FRAMES, consumer=names.PREPROCESS)
        pool = RingPool(self.folder)
        try:
            while True:
                if self.paused or not waiting:
                    await asyncio.sleep(0.002)
                    continue
                envelope = decoder.decode(waiting.popleft().body)
                for item in envelope.items:
                    self._read(item, pool)
                cursor.advance(envelope.boot, envelope.sent)
        finally:
            pool.close()

    def _read(self, item: FrameItem, pool: RingPool) -> None:
        if self.delays_ms is not None:
            self.delays_ms.append((time.monotonic_ns() - item.captured_ns) / 1e6)
            return
        try:
            with lease_frame(pool, item.pixels) as frame:
                self.last[item.camera] = to_bgr(frame)
        except FrameGoneError:
            self.gone.append(item)
            return
        self.means.append(float(self.last[item.camera].mean()))
        self.items.append(item)

    def of(self, camera: str) -> list[FrameItem]:
        return [item for item in self.items if item.camera == camera]


@dataclass
class Listener:
    """Stands where sync is: takes events about cameras and moves its cursor."""

    hub: MemoryHub
    folder: Path
    events: list[CameraEvent] = field(default_factory=list)

    async def run(self) -> None:
        decoder = msgspec.json.Decoder(Envelope[CameraEvent])
        waiting = self.hub.module(names.SYNC).waiting
        cursor = CursorWriter.open(self.folder, sender=names.CAMERA, output=names.EVENTS, consumer=names.SYNC)
        while True:
            while waiting:
                envelope = decoder.decode(waiting.popleft().body)
                self.events += envelope.items
                cursor.advance(envelope.boot, envelope.sent)
            await asyncio.sleep(0.02)


@dataclass
class CameraModule:
    """A running module. ``set`` replaces all cameras, as a deployment does."""

    hub: MemoryHub
    service: Service[CameraConfig]
    cameras: Cameras
    consumer: Consumer
    listener: Listener

    def set(self, **cameras: dict[str, Any]) -> int:
        return self.hub.set_desired(names.CAMERA, {"cameras": cameras})

    def state(self, camera: str) -> dict[str, Any]:
        return self.hub.reported(names.CAMERA).get("camera_state", {}).get(camera, {})

    def acknowledgement(self) -> dict[str, Any]:
        return self.hub.reported(names.CAMERA).get("cameras", {})

    async def invoke(self, method: str, payload: Any = None) -> tuple[int, Any]:
        return await asyncio.to_thread(self.hub.invoke, names.CAMERA, method, payload)

    def metric(self, sample: str) -> float:
        return self.service.metrics.values().get(sample, 0.0)


@asynccontextmanager
async def camera_module(folder: Path, **environ: str) -> AsyncIterator[CameraModule]:
    """Start it with state and frames under ``folder``; ``environ`` adds to the process's environment."""
    variables = {
        "IOTEDGE_MODULEID": names.CAMERA,
        "IOTEDGE_DEVICEID": "device",
        "VIGIE_STATE": str(folder / "state"),
        "VIGIE_FRAMES": str(folder / "frames"),
        "VIGIE_SECRETS": str(folder / "secrets"),
        "VIGIE_HTTP": "127.0.0.1:0",
        **{name: value for name, value in environ.items() if name == "VIGIE_AT_REST_KEY"},
    }
    (folder / "state").mkdir(parents=True, exist_ok=True)
    env = ModuleEnvironment.from_environ(names.CAMERA, variables)
    hub = MemoryHub(
        {
            (names.CAMERA, names.FRAMES): (names.PREPROCESS, names.FRAMES),
            (names.CAMERA, names.EVENTS): (names.SYNC, names.EVENTS),
            (names.INFERENCE, names.BLUR): (names.CAMERA, names.BLUR),
        }
    )
    consumer = Consumer(hub, env.frames)
    listener = Listener(hub, env.frames)
    consuming = [asyncio.create_task(consumer.run()), asyncio.create_task(listener.run())]
    try:
        async with open_service(env, CameraConfig, make_link=hub.link(names.CAMERA)) as service:
            output = service.output(names.FRAMES, (names.PREPROCESS, names.FRAMES), item_type=FrameItem)
            networks = {"VIGIE_CAMERA_NETWORKS": "default 127.0.0.0/8", **environ}
            preview = Preview.of(service, offer_demands(service))
            cameras = Cameras(service, output, networks, preview=preview, telling=Telling(service))
            kept = EvidenceFolder(folder / "chosen", env.seals)
            keeper = Keeper(service, cameras, preview.recent, kept)
            offer_methods(service, cameras)
            take_blur(service, cameras)
            service.thread("camera.keep", keeper.run)
            service.thread("camera.watch", cameras.watch)
            service.thread("camera.clips", cameras.clips.run)
            await service.start()
            following = asyncio.create_task(service.twin.run(cameras.apply))
            try:
                yield CameraModule(hub, service, cameras, consumer, listener)
            finally:
                following.cancel()
                await asyncio.wait([following])
    finally:
        for task in consuming:
            task.cancel()
        await asyncio.wait(consuming)


def make_video(path: Path, *, frames: int = 30, fps: float = 10.0, size_wh: tuple[int, int] = (64, 48)) -> Path:
    """A small Motion-JPEG video whose n-th frame is grey of level 4 n + 10: the mean tells the frame's number."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, size_wh)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((size_wh[1], size_wh[0], 3), (4 * number + 10) % 250, np.uint8))
    writer.release()
    return path
