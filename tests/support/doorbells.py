"""A sender and a consumer on a hub in memory that judges bodies, for tests of doorbells."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from vigie.config.environment import ModuleEnvironment
from vigie.contracts.inputspec import InputSpec
from vigie.messaging.memory import Address, MemoryHub, UpstreamMessage
from vigie.messaging.output import Output
from vigie.service import InputQueue, Service

ROUTE: dict[Address, Address | list[Address]] = {("a", "o"): ("b", "i")}
SHARED: dict[Address, Address | list[Address]] = {("a", "o"): [("b", "i"), ("c", "i")]}
LONG_S = 20.0


class Config(msgspec.Struct, frozen=True):
    """Nothing to configure."""


class JudgingHub(MemoryHub):
    """With a condition on the body of each message, as a WHERE is, and a record of what came by the route."""

    def __init__(self, routes: Mapping[Address, Address | list[Address]] = ROUTE) -> None:
        super().__init__(routes)
        self.where: Callable[[dict[str, object], dict[str, str]], bool] = lambda _body, _properties: True
        self.seen: list[tuple[dict[str, object], dict[str, str]]] = []
        self._held: list[tuple[str, str | None, UpstreamMessage]] | None = None

    def store(self, module_id: str, output: str | None, message: UpstreamMessage) -> None:
        body = msgspec.json.decode(message.body)
        self.seen.append((body, dict(message.properties)))
        if self._held is not None and body["sent"]:
            self._held.append((module_id, output, message))
        elif self.where(body, dict(message.properties)):
            super().store(module_id, output, message)

    def hold_claims(self) -> None:
        """Leases pass, claims are acknowledged and stay here."""
        self._held = []

    def release_claims(self) -> None:
        """Deliver what was held, in its order, and hold nothing more."""
        held, self._held = self._held or [], None
        for module_id, output, message in held:
            super().store(module_id, output, message)

    def claims(self) -> int:
        """Messages of the stream that came by the route: leases are none."""
        return sum(1 for body, _ in self.seen if body["sent"])


class Pair:
    """Sender ``a`` with output ``o``, consumer ``b`` with input ``i``."""

    def __init__(self, hub: JudgingHub, sender: Service[Config], consumer: Service[Config]) -> None:
        self.hub = hub
        self.sender, self.consumer = sender, consumer
        self.output: Output[InputSpec] = sender.output("o", ("b", "i"), item_type=InputSpec, doorbell=True)
        self.input: InputQueue[InputSpec] = consumer.input("i", InputSpec)
        self.got: list[str] = []
        self.working = threading.Event()
        self.working.set()
        consumer.thread("b.work", self._work)

    def _work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            received = self.input.get(0.05)
            if received is None:
                continue
            while not self.working.wait(0.05) and not stop.is_set():
                pass
            self.got.extend(item.version for item in received.items)
            received.done()

    def offer(self, number: int, *, camera: str = "x", keep: bool = True) -> None:
        self.output.offer(InputSpec(f"{camera}{number}", (4, 4), "stretch"), key=camera, keep=keep)

    def rung(self) -> float:
        return self.sender.metrics.values().get('vigie_doorbell_messages_total{output="o"}', 0.0)

    async def open_doorbell(self, camera: str = "x") -> int:
        """Offer until one goes by doorbell; returns how many were offered."""
        offered = 0
        before = self.rung()
        deadline = time.monotonic() + LONG_S
        while self.rung() == before:
            assert time.monotonic() < deadline, "no doorbell was opened"
            self.offer(offered, camera=camera)
            offered += 1
            await asyncio.sleep(0.02)
        return offered


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(LONG_S):
        while not condition():
            await asyncio.sleep(0.01)


def environment(folder: Path, name: str) -> ModuleEnvironment:
    return ModuleEnvironment(
        name=name, module_id=name, device_id="d", state=folder / name, frames=folder / "frames",
        signals_folder=folder / "signals", doorbells=frozenset({"o"}), http=("127.0.0.1", 0), secrets=folder,
    )  # fmt: skip
