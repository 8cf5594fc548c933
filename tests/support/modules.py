"""Runs a module's real main against a hub in memory: same code, no process, no network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from vigie.config import ModuleEnvironment
from vigie.messaging.memory import MemoryHub, UpstreamMessage


def environment(name: str, folder: Path) -> ModuleEnvironment:
    state = folder / "state" / name
    state.mkdir(parents=True, exist_ok=True)
    frames = folder / "frames"
    frames.mkdir(exist_ok=True)
    return ModuleEnvironment(
        name=name,
        module_id=name,
        device_id="device",
        state=state,
        frames=frames,
        http=("127.0.0.1", 0),
        doorbells=frozenset({"frames", "tensors", "detections"}),
        secrets=folder / "secrets",
        log_level="error",
    )


@asynccontextmanager
async def task(coroutine: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """A task that is cancelled at the end, and whose own failure is not swallowed."""
    running = asyncio.create_task(coroutine)
    try:
        yield running
    finally:
        if running.done() and not running.cancelled() and running.exception() is not None:
            raise running.exception()  # type: ignore[misc]
        running.cancel()
        await asyncio.wait([running])


async def until(condition: Callable[[], Any], *, timeout_s: float = 15.0, what: str = "") -> Any:
    """The first true value of ``condition``."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {timeout_s} s: {what or condition}")


class Sender:
    """Plays the module on the other side of an input: sends envelopes as it would, numbered from 1."""

    def __init__(self, hub: MemoryHub, module: str, output: str, schema: str, boot: str = "0badc0de") -> None:
        self._hub, self._module, self._output, self._schema, self._boot = hub, module, output, schema, boot
        self.sent = 0

    def send(self, *items: Any) -> None:
        self.sent += 1
        body = msgspec.json.encode(
            {"schema": self._schema, "module": self._module, "boot": self._boot, "sent": self.sent, "items": items}
        )
        self.raw(body)

    def raw(self, body: bytes) -> None:
        self._hub.store(self._module, self._output, UpstreamMessage(self._module, self._output, body, {}, None))
