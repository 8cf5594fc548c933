"""Module ``a``, as the contract tests of messaging run it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from vigie.config import ModuleEnvironment
from vigie.service import Service, open_service


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fps: int = 30


def environment(folder: Path, name: str = "a") -> ModuleEnvironment:
    return ModuleEnvironment(name, name, "box", folder / name, folder / "frames", ("127.0.0.1", 0), folder)


@asynccontextmanager
async def module(folder: Path, name: str = "a") -> AsyncIterator[Service[Config]]:
    async with open_service(environment(folder, name), Config) as service:
        yield service


async def ignore(_new: Any, _previous: Any) -> None:
    return None
