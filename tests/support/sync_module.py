"""The sync module as its ``__main__`` wires it, on a hub in memory, which can be stopped and started."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.detections import detections_message
from vigie.config.environment import ModuleEnvironment
from vigie.frames.cursor import CursorReader
from vigie.messaging.memory import UPSTREAM, MemoryHub, UpstreamMessage
from vigie.service import open_service
from vigie_sync import __main__ as sync
from vigie_sync.config import SyncConfig

DEADLINE_S = 30.0
ROUTES = {
    ("inference", "detections"): ("sync", "detections"),
    ("camera", "events"): ("sync", "events"),
    ("sync", "telemetry"): UPSTREAM,
    ("viewer", "demand"): ("sync", "demand"),
    ("sync", "timeline"): ("viewer", "events"),
}
BOOT = "1badcafe"


class Device:
    """A hub in memory and the sync module on it, which can be stopped and started."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.hub = MemoryHub(ROUTES)
        # Desired properties that every configuration of a test has.
        self.always: dict[str, object] = {}
        self.service = None
        self._task: asyncio.Task[None] | None = None
        self._sent = 0
        self.cursor = CursorReader.open(folder / "frames", sender="inference", output="detections", consumer="sync")
        monkeypatch.setattr(sync, "open_service", self._open_service)

    @contextlib.asynccontextmanager
    async def _open_service(self, env: Any, config_type: Any) -> AsyncIterator[Any]:
        make = functools.partial(open_service, make_link=self.hub.link("sync"))
        async with make(env, config_type) as service:
            self.service = service
            yield service

    async def start(self) -> None:
        env = ModuleEnvironment(
            name="sync",
            module_id="sync",
            device_id="device",
            state=self.folder / "state",
            frames=self.folder / "frames",
            http=("127.0.0.1", 0),
            secrets=self.folder,
        )
        self._task = asyncio.create_task(sync.main(env))
        await self.until(lambda: self.service is not None and self.service.hub.connected)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self.service = None

    def feed(self, items: Sequence[Any], *, sent: int | None = None) -> int:
        self._sent = self._sent + 1 if sent is None else sent
        body = detections_message(self._sent, items, boot=BOOT)
        self.hub.store("inference", "detections", UpstreamMessage("inference", "detections", body, {}, None))
        return self._sent

    async def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            if self._task.done():
                self._task.result()
            assert time.monotonic() < deadline, "condition not met in time"
            await asyncio.sleep(0.01)

    async def until_processed(self, sent: int) -> None:
        await self.until(lambda: self.cursor.position(BOOT) == sent)

    async def method(self, name: str, payload: Any = None) -> tuple[int, Any]:
        return await asyncio.to_thread(self.hub.invoke, "sync", name, payload, DEADLINE_S)

    async def configure(self, **wanted: Any) -> None:
        """Set desired properties and wait until they are in force and what was due before is gone."""
        wanted = self.always | wanted
        self.hub.set_desired("sync", wanted)
        await self.until(lambda: self.service.twin.current is not None)
        expected = msgspec.convert(wanted, SyncConfig)
        await self.until(
            lambda: all(getattr(self.service.twin.current, key) == getattr(expected, key) for key in wanted)
        )
        assert (await self.method("flush"))[0] == 200

    def upstream(self) -> list[dict]:
        return [json.loads(message.body) for message in self.hub.upstream]

    def upstream_seqs(self) -> list[int]:
        return [item["seq"] for envelope in self.upstream() for item in envelope["items"]]

    def metric(self, name: str) -> float:
        return self.service.metrics.values().get(name, 0.0)
