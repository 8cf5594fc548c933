"""The viewer module, as a table of contents."""

from __future__ import annotations

import asyncio
import os

from vigie.contracts import names
from vigie.service import ModuleEnvironment, open_service, run_module
from vigie_viewer.config import ViewerConfig
from vigie_viewer.settings import PageSettings
from vigie_viewer.wiring import run_viewer


async def main(env: ModuleEnvironment) -> None:
    settings = await asyncio.to_thread(PageSettings.from_environ, env, os.environ)
    async with open_service(env, ViewerConfig) as service:
        await run_viewer(service, settings)


if __name__ == "__main__":
    raise SystemExit(run_module(names.VIEWER, main))
