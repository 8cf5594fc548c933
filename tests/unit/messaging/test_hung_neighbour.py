"""A neighbour that hangs is told of by the module that waits for it, as modules are wired."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import msgspec

from support.mean_hub import until
from vigie.config import ModuleEnvironment
from vigie.contracts.inputspec import InputSpec
from vigie.messaging.memory import MemoryHub
from vigie.service import open_service


class Config(msgspec.Struct, frozen=True):
    """Nothing is configured."""


async def test_a_neighbour_that_takes_messages_and_processes_none_is_told_of_until_it_does(tmp_path: Path) -> None:
    hub = MemoryHub({("a", "specs"): ("b", "specs")})

    def environment(name: str) -> ModuleEnvironment:
        return ModuleEnvironment(name, name, "box", tmp_path / name, tmp_path / "frames", ("127.0.0.1", 0), tmp_path)

    async with (
        open_service(environment("a"), Config, make_link=hub.link("a")) as a,
        open_service(environment("b"), Config, make_link=hub.link("b")) as b,
    ):
        output = a.output("specs", ("b", "specs"), item_type=InputSpec, max_outstanding=8)
        inputs, works = b.input("specs", InputSpec), threading.Event()

        def work(stop: threading.Event) -> None:
            while not stop.is_set():
                if works.wait(0.05) and (message := inputs.get(0.05)) is not None:
                    message.done()

        b.thread("work", work)
        await a.start()
        await b.start()
        await asyncio.to_thread(output.offer, InputSpec("1", (1, 1), "stretch"), key="k", keep=True)
        await until(lambda: "b/specs has processed nothing" in a.health.notes().get("consumer.b/specs", ""), 60.0)
        waiting = 'vigie_output_without_progress_seconds{consumer="b/specs",output="specs"}'
        assert a.metrics.values()[waiting] >= 15.0
        works.set()
        await until(lambda: "consumer.b/specs" not in a.health.notes(), 30.0)
