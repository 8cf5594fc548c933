"""The camera module, as a table of contents."""

from __future__ import annotations

from vigie.contracts import names
from vigie.service import ModuleEnvironment, open_service, run_module
from vigie_camera.config import CameraConfig
from vigie_camera.wiring import run_camera


async def main(env: ModuleEnvironment) -> None:
    async with open_service(env, CameraConfig) as service:
        await run_camera(service)


if __name__ == "__main__":
    raise SystemExit(run_module(names.CAMERA, main, programs=True))
