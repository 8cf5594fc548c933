"""Doorbells under the routes of a real hub: a route that is removed or narrowed while it runs stops what is rung."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.hub import HubProcess, manifest, route, running_hub
from support.module_a import Config, environment
from vigie.contracts.inputspec import InputSpec
from vigie.service import InputQueue, Output, Service, open_service

ROUTE = route("a/o", "a/i")
RUNG = 'vigie_doorbell_messages_total{output="o"}'
LONG_S = 30.0
QUIET_S = 1.5


class Rings:
    """A module that sends to itself, by doorbell where the route lets it; offers go on in the background."""

    def __init__(self, service: Service[Config]) -> None:
        self.service = service
        self.input: InputQueue[InputSpec] = service.input("i", InputSpec)
        self.output: Output[InputSpec] = service.output("o", ("a", "i"), item_type=InputSpec, doorbell=True)
        self.got: list[str] = []
        service.thread("consumer", self._consume)

    def _consume(self, stop: Any) -> None:
        while not stop.is_set():
            if (message := self.input.get(0.1)) is not None:
                self.got += [item.version for item in message.items]
                message.done()

    async def offer(self) -> None:
        while True:
            for camera in ("x", "y"):
                self.output.offer(InputSpec(camera, (4, 4), "stretch"), key=camera, keep=False)
            await asyncio.sleep(0.02)

    def rung(self) -> float:
        return self.service.metrics.values().get(RUNG, 0.0)

    async def flows(self) -> None:
        """Until something more is rung and received."""
        rung, got = self.rung(), len(self.got)
        async with asyncio.timeout(LONG_S):
            while self.rung() <= rung or len(self.got) <= got:
                await asyncio.sleep(0.02)

    async def is_still(self, camera: str = "") -> None:
        """Until nothing (of ``camera``) has come for a while."""
        at, since = self._count(camera), time.monotonic()
        async with asyncio.timeout(LONG_S):
            while time.monotonic() < since + QUIET_S:
                await asyncio.sleep(0.05)
                if (now := self._count(camera)) != at:
                    at, since = now, time.monotonic()

    def _count(self, camera: str) -> int:
        return sum(camera in ("", version) for version in self.got)


@asynccontextmanager
async def flowing(hub: HubProcess, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rings]:
    for variable, value in hub.environment("a").items():
        monkeypatch.setenv(variable, value)
    async with open_service(replace(environment(folder), doorbells=frozenset({"o"})), Config) as service:
        rings = Rings(service)
        await service.start()
        offering = asyncio.create_task(rings.offer())
        try:
            yield rings
        finally:
            offering.cancel()


async def test_removing_the_route_stops_the_flow_and_adding_it_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = manifest({"loop": ROUTE}, modules=["a"])
    with running_hub(tmp_path / "h", content) as hub:
        async with flowing(hub, tmp_path, monkeypatch) as rings:
            await rings.flows()
            await asyncio.to_thread(hub.service().apply_configuration, manifest({}, modules=["a"]))
            await rings.is_still()
            await asyncio.to_thread(hub.service().apply_configuration, content)
            await rings.flows()


async def test_a_condition_on_the_camera_that_is_applied_while_it_runs_stops_that_camera_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_hub(tmp_path / "h", manifest({"loop": ROUTE}, modules=["a"])) as hub:
        async with flowing(hub, tmp_path, monkeypatch) as rings:
            await rings.flows()
            narrow = ROUTE.replace(" INTO", " WHERE $body.items[0].camera = 'x' INTO")
            await asyncio.to_thread(hub.service().apply_configuration, manifest({"loop": narrow}, modules=["a"]))
            await rings.is_still("y")
            came = rings.got.count("x")
            async with asyncio.timeout(LONG_S):
                while rings.got.count("x") <= came:
                    await asyncio.sleep(0.05)


async def test_what_is_rung_goes_on_while_the_hub_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_hub(tmp_path / "h", manifest({"loop": ROUTE}, modules=["a"])) as hub:
        async with flowing(hub, tmp_path, monkeypatch) as rings:
            await rings.flows()
            hub.kill9()
            gone = time.monotonic()
            while time.monotonic() < gone + 5.0:  # longer than the last lease is good for
                await rings.flows()
            await asyncio.to_thread(hub.start)
            await rings.flows()
