"""A module over the hub in memory: twin, flow, methods, threads, endpoints."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from support.mean_hub import until
from vigie.config import ModuleEnvironment
from vigie.config.desired import Desired
from vigie.config.lastgood import LastGood
from vigie.contracts.inputspec import InputSpec
from vigie.drop_reason import DropReason
from vigie.errors import ConfigRefusedError, EndpointError, MessageTooLargeError, ThreadDiedError, TransientError
from vigie.messaging.memory import UPSTREAM, MemoryHub
from vigie.service import Service, open_service


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fps: int = 30
    name: str = "x"


class Applied:
    def __init__(self) -> None:
        self.calls: list[tuple[Config, Config | None]] = []
        self.error: Exception | None = None

    async def __call__(self, new: Config, previous: Config | None) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append((new, previous))


def environment(folder: Path, name: str) -> ModuleEnvironment:
    return ModuleEnvironment(name, name, "box", folder / name, folder / "frames", ("127.0.0.1", 0), folder)


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub({("a", "specs"): ("b", "specs"), ("b", "telemetry"): UPSTREAM})


@asynccontextmanager
async def module(hub: MemoryHub, folder: Path, name: str = "a") -> AsyncIterator[Service[Config]]:
    async with open_service(environment(folder, name), Config, make_link=hub.link(name)) as service:
        yield service


@asynccontextmanager
async def fed(service: Service[Config], apply: Applied) -> AsyncIterator[None]:
    task = asyncio.create_task(service.twin.run(apply))
    await service.start()
    yield
    task.cancel()


async def test_items_flow_from_module_to_module_and_upstream(hub: MemoryHub, tmp_path: Path) -> None:
    async with module(hub, tmp_path, "a") as a, module(hub, tmp_path, "b") as b:
        output = a.output("specs", ("b", "specs"), item_type=InputSpec, max_outstanding=8)
        inputs, upstream = b.input("specs", InputSpec), b.output("telemetry", None)

        def work(stop: threading.Event) -> None:
            while not stop.is_set():
                if (message := inputs.get(0.05)) is not None:
                    for item in message.items:
                        upstream.send(item.version.encode(), {"n": "1"}, item.version, 5.0)
                    message.done()

        b.thread("work", work)
        await a.start()
        await b.start()

        def offer() -> None:
            for number in range(100):
                assert output.wait_for_room(threading.Event(), 10.0)
                output.offer(InputSpec(str(number), (1, 1), "stretch"), key="k", keep=True)

        await asyncio.to_thread(offer)
        await until(lambda: len(hub.upstream) == 100 and output.outstanding == 0)
        assert [message.body for message in hub.upstream] == [str(number).encode() for number in range(100)]


async def test_a_module_runs_from_its_last_good_twin_while_the_hub_is_away(hub: MemoryHub, tmp_path: Path) -> None:
    LastGood(tmp_path / "a").save(Desired(6, {"fps": 9}))
    hub.set_reachable(reachable=False)
    apply = Applied()
    async with module(hub, tmp_path) as service, fed(service, apply):
        await until(lambda: apply.calls)
        assert apply.calls == [(Config(9), None)]
        assert "twin" not in service.health.missing()
        hub.set_desired("a", {"fps": 10})
        hub.set_reachable(reachable=True)
        await until(lambda: service.twin.current == Config(10))
        assert apply.calls[1:] == [(Config(10), Config(9))]


async def test_a_last_good_twin_that_the_module_no_longer_accepts_waits_for_the_hub(
    hub: MemoryHub, tmp_path: Path
) -> None:
    LastGood(tmp_path / "a").save(Desired(6, {"gone": 1}))
    apply = Applied()
    async with module(hub, tmp_path) as service, fed(service, apply):
        await until(lambda: apply.calls == [(Config(), None)])


async def test_an_unknown_key_is_refused_by_its_path_and_the_rest_takes_effect(hub: MemoryHub, tmp_path: Path) -> None:
    apply = Applied()
    hub.set_desired("a", {"fps": 5})
    async with module(hub, tmp_path) as service, fed(service, apply):
        await until(lambda: hub.reported("a").get("fps"))
        hub.set_desired("a", {"fps": 6, "speed": 1})
        await until(lambda: hub.reported("a").get("speed"))
        assert service.twin.current == Config(6)
        reported = hub.reported("a")
        assert reported["speed"] == {
            "ac": 400,
            "av": 3,
            "ad": "$.speed: unknown property (there are: fps, name)",
        }
        assert (reported["fps"]["value"], reported["fps"]["ac"]) == (6, 200)
        assert LastGood(tmp_path / "a").load() == Desired(3, {"fps": 6})
        hub.set_desired("a", {"fps": 7})
        await until(lambda: hub.reported("a")["fps"] == {"value": 7, "ac": 200, "av": 4, "ad": ""})
        assert "speed" not in hub.reported("a")
        assert LastGood(tmp_path / "a").load() == Desired(4, {"fps": 7})


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigRefusedError("$.fps", "no such rate"), 400), (RuntimeError("boom"), 500)]
)
async def test_what_apply_raises_is_acknowledged_and_changes_nothing(
    hub: MemoryHub, tmp_path: Path, error: Exception, code: int
) -> None:
    apply = Applied()
    async with module(hub, tmp_path) as service, fed(service, apply):
        await until(lambda: service.twin.current is not None)
        apply.error = error
        hub.set_desired("a", {"fps": 3})
        await until(lambda: hub.reported("a").get("fps", {}).get("ac") == code)
        assert service.twin.current == Config()


async def test_get_status_tells_what_a_person_asks_first(hub: MemoryHub, tmp_path: Path) -> None:
    async with module(hub, tmp_path) as service, fed(service, Applied()):
        await until(lambda: service.twin.version == 1)
        await until(lambda: not service.health.missing())
        status, reply = await asyncio.to_thread(hub.invoke, "a", "get_status")
        _, whole = await asyncio.to_thread(hub.invoke, "a", "get_status", {"verbose": True})
        text = service.metrics.exposition().decode()
    assert status == 200
    assert "metrics" not in reply
    assert whole.keys() > reply.keys()
    assert whole["metrics"]["vigie_hub_connected"] == 1
    assert 'vigie_build_info{module="a",' in text
    assert "process_cpu_seconds_total" in text
    assert "_created" not in text
    assert (reply["module"], reply["ready"], reply["twin_version"]) == ("a", True, 1)


async def test_health_and_metrics_are_served_where_http_json_says(hub: MemoryHub, tmp_path: Path) -> None:
    async with module(hub, tmp_path) as service, aiohttp.ClientSession() as http:
        told: dict[str, Any] = msgspec.json.decode((tmp_path / "a/http.json").read_bytes())
        url = f"http://{told['host']}:{told['port']}"

        async def get(path: str) -> tuple[int, str]:
            async with http.get(url + path) as response:
                return response.status, await response.text()

        assert (await get("/healthz"))[0] == 200
        status, text = await get("/readyz")
        assert status == 503
        assert "not connected yet" in text
        service.metrics.dropped(DropReason.RING_FULL, "dock")
        assert 'vigie_items_dropped_total{camera="dock",reason="ring_full"} 1.0' in (await get("/metrics"))[1]
        service.health.watch("stuck", -1.0)
        status, text = await get("/healthz")
        assert status == 503
        assert "stuck" in text
    assert not (tmp_path / "a/http.json").exists()


async def test_a_busy_port_is_one_sentence(hub: MemoryHub, tmp_path: Path) -> None:
    async with module(hub, tmp_path) as service:
        told = msgspec.json.decode((tmp_path / "a/http.json").read_bytes())
        busy = ModuleEnvironment("b", "b", "box", tmp_path, tmp_path, ("127.0.0.1", told["port"]), tmp_path)
        with pytest.raises(EndpointError, match="set VIGIE_HTTP to another one"):
            async with open_service(busy, Config, make_link=hub.link("b")):
                pass
        assert service.failure is None


async def test_a_thread_that_dies_ends_the_module(hub: MemoryHub, tmp_path: Path) -> None:
    def die(_stop: threading.Event) -> None:
        raise ZeroDivisionError("by zero")

    async def run() -> None:
        async with module(hub, tmp_path) as service:
            service.thread("worker", die)
            await asyncio.Event().wait()

    with pytest.raises(ThreadDiedError, match="thread 'worker' ended by ZeroDivisionError: by zero"):
        await run()


async def test_upstream_is_transient_while_the_hub_is_away_and_permanent_when_too_large(
    hub: MemoryHub, tmp_path: Path
) -> None:
    async with module(hub, tmp_path, "b") as service:
        upstream = service.output("telemetry", None)
        await service.start()
        hub.set_reachable(reachable=False)
        with pytest.raises(TransientError):
            await asyncio.to_thread(upstream.send, b"{}", {}, "id", 0.1)
        hub.set_reachable(reachable=True)
        with pytest.raises(MessageTooLargeError):
            await asyncio.to_thread(upstream.send, b"x" * 262_144, {}, "id", 5.0)
        await asyncio.to_thread(upstream.send, b"x" * upstream.limit_bytes({}, "id"), {}, "id", 5.0)
        assert len(hub.upstream) == 1
