"""Which outputs, threads and methods the module has, and what connects them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from vigie.contracts import envelope, names
from vigie.contracts.frames import FrameItem
from vigie.demand import offer_demands
from vigie.service import Service
from vigie_camera.blur import take_blur
from vigie_camera.cameras import Cameras
from vigie_camera.config import CameraConfig
from vigie_camera.evidence_store import EvidenceFolder
from vigie_camera.keep import Keeper
from vigie_camera.methods import offer_methods
from vigie_camera.preview import Preview
from vigie_camera.telling import Telling


async def run_camera(service: Service[CameraConfig]) -> None:
    """Until cancelled."""
    frames = service.output(
        names.FRAMES,
        consumer=(names.PREPROCESS, names.FRAMES),
        item_type=FrameItem,
        schema=envelope.FRAMES,
        doorbell=True,
    )
    preview = Preview.of(service, offer_demands(service))
    cameras = Cameras(service, frames, os.environ, preview=preview, telling=Telling(service))
    chosen = Path(os.environ.get("VIGIE_EVIDENCE") or service.env.state / "evidence")
    folder = EvidenceFolder(chosen, service.env.seals)
    keeper = Keeper(service, cameras, preview.recent, folder)
    offer_methods(service, cameras)
    take_blur(service, cameras)

    async def apply(new: CameraConfig, previous: CameraConfig | None) -> dict[str, str]:
        for name in {} if previous is None else previous.cameras:
            if previous is not None and new.cameras.get(name) != previous.cameras[name]:
                keeper.forget(name)
        await asyncio.to_thread(folder.configure, new.evidence_store)
        return await cameras.apply(new, previous)

    service.thread("camera.watch", cameras.watch)
    service.thread("camera.clips", cameras.clips.run)
    service.thread("camera.keep", keeper.run)
    service.thread("camera.evidence", folder.run)
    await service.start()
    await service.twin.run(apply)
