"""Module ``a``, as the contract tests of messaging run it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from vigie.config import ModuleEnvironment
from vigie.contracts.inputspec import InputSpec
from vigie.service import InputQueue, Output, Service, open_service


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


def rebuilds(service: Service[Config]) -> dict[str, float]:
    name = "vigie_client_rebuilds_total"
    return {key: value for key, value in service.metrics.values().items() if key.startswith(name)}


class Flow:
    """Module ``a`` sending to itself: an item offered comes back as an item received."""

    def __init__(self, service: Service[Config]) -> None:
        self.received: list[str] = []
        self.input: InputQueue[InputSpec] = service.input("i", InputSpec)
        self.output: Output[InputSpec] = service.output("o", ("a", "i"), item_type=InputSpec)
        self.offered = 0
        service.thread("consumer", self.consume)

    def consume(self, stop: threading.Event) -> None:
        while not stop.is_set():
            if (message := self.input.get(0.1)) is not None:
                self.received += [item.version for item in message.items]
                message.done()

    def offer(self, count: int = 1) -> None:
        for _ in range(count):
            self.offered += 1
            self.output.offer(InputSpec(str(self.offered), (4, 4), "stretch"), key="x", keep=True)

    @property
    def complete(self) -> bool:
        return self.received == [str(number + 1) for number in range(self.offered)]
