"""A module over the real client against the local hub, in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hub import HubProcess, manifest, route, running_hub
from support.mean_hub import until
from support.module_a import Config, Flow, ignore, module


@pytest.fixture
def local_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubProcess]:
    content = manifest({"loop": route("a/o", "a/i")}, modules={"a": {"fps": 12}})
    with running_hub(tmp_path / "h", content) as hub:
        for variable, value in hub.environment("a").items():
            monkeypatch.setenv(variable, value)
        yield hub


async def test_the_twin_of_the_manifest_is_accepted_and_messages_flow(local_hub: HubProcess, tmp_path: Path) -> None:
    async with module(tmp_path) as service:
        flow = Flow(service)
        feeding = asyncio.create_task(service.twin.run(ignore))
        await service.start()
        await until(lambda: service.twin.current == Config(12))
        flow.offer(50)
        await until(lambda: flow.complete)
        feeding.cancel()


async def test_flow_is_back_after_kill_9_of_the_hub_and_nothing_to_keep_is_lost(
    local_hub: HubProcess, tmp_path: Path
) -> None:
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        flow.offer(5)
        await until(lambda: flow.complete)
        local_hub.kill9()
        flow.offer(5)
        await until(lambda: not service.hub.connected)
        await asyncio.to_thread(local_hub.start)
        flow.offer(5)
        await until(lambda: flow.complete)


async def test_flow_goes_on_over_an_orderly_restart_of_the_hub(local_hub: HubProcess, tmp_path: Path) -> None:
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        flow.offer(5)
        await until(lambda: flow.complete)
        await asyncio.to_thread(local_hub.restart)
        flow.offer(5)
        await until(lambda: flow.complete)


async def test_a_hub_that_lost_its_sessions_is_subscribed_to_again(local_hub: HubProcess, tmp_path: Path) -> None:
    """edgeHub keeps them in its container unless a volume is named: an upgrade of its image loses them."""
    async with module(tmp_path) as service:
        flow = Flow(service)
        feeding = asyncio.create_task(service.twin.run(ignore))
        await service.start()
        flow.offer(5)
        await until(lambda: flow.complete and service.twin.current == Config(12))
        local_hub.kill9()
        (local_hub.state / "sessions.json").unlink()
        await until(lambda: not service.hub.connected)
        await asyncio.to_thread(local_hub.start)
        flow.offer(5)
        await until(lambda: flow.complete)
        operator = local_hub.service()
        await asyncio.to_thread(operator.patch_twin, "a", {"properties": {"desired": {"fps": 7}}})
        await until(lambda: service.twin.current == Config(7))
        answer = await asyncio.to_thread(operator.invoke_method, "a", "get_status")
        assert answer.status == 200
        feeding.cancel()
