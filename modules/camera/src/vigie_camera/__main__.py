"""The camera module, as a table of contents."""

from __future__ import annotations

import os

from vigie.config import ModuleEnvironment
from vigie.contracts import envelope, names
from vigie.contracts.frames import FrameItem
from vigie.demand import offer_demands
from vigie.service import open_service, run_module
from vigie_camera.blur import take_blur
from vigie_camera.cameras import Cameras
from vigie_camera.config import CameraConfig
from vigie_camera.methods import offer_methods
from vigie_camera.preview import Preview
from vigie_camera.telling import Telling


async def main(env: ModuleEnvironment) -> None:
    async with open_service(env, CameraConfig) as service:
        frames = service.output(
            names.FRAMES,
            consumer=(names.PREPROCESS, names.FRAMES),
            item_type=FrameItem,
            schema=envelope.FRAMES,
            doorbell=True,
        )
        preview = Preview.of(service, offer_demands(service))
        cameras = Cameras(service, frames, os.environ, preview=preview, telling=Telling(service))
        offer_methods(service, cameras)
        take_blur(service, cameras)

        service.thread("camera.watch", cameras.watch)
        service.thread("camera.clips", cameras.clips.run)
        await service.start()
        await service.twin.run(cameras.apply)


if __name__ == "__main__":
    raise SystemExit(run_module(names.CAMERA, main, programs=True))
