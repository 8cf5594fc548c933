"""A client that is replaced leaves nothing in the process: no thread, no descriptor (azure-iot-device 2.14)."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections import Counter
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from azure.iot.device import IoTHubModuleClient
from azure.iot.device.common.alarm import Alarm

from support.mean_hub import MeanHub, until
from support.module_a import Flow, module, rebuilds
from vigie.errors import HubCallHungError
from vigie.messaging.calls import CallThread
from vigie.messaging.patience import Patiences
from vigie.messaging.session import SdkSession

_RUNNERS = ("_receiver_handler_runner", "_client_event_handler_runner")


def client_threads() -> Counter[str]:
    """Of the clients' threads those of which each client has a fixed number."""
    found: Counter[str] = Counter()
    for thread in threading.enumerate():
        if isinstance(thread, Alarm):
            found["alarm"] += 1
        found.update(name for name in (*_RUNNERS, "_thread_main") if name in thread.name)
    return found


ONE_CLIENT = Counter({"_receiver_handler_runner": 3, "_client_event_handler_runner": 1, "_thread_main": 1, "alarm": 1})


def handles() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_clients_whose_network_thread_died_leave_no_threads_and_no_descriptors(
    hub: MeanHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = paho.Client._sock_send

    def fail_once(client: paho.Client, data: bytes) -> int:
        monkeypatch.setattr(paho.Client, "_sock_send", send)
        raise ssl.SSLEOFError(8, "EOF occurred in violation of protocol")

    before = client_threads()  # of other tests in this process
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        level = 0
        for number in range(3):
            flow.offer()
            await until(lambda: flow.complete, 60.0)
            if number == 1:  # the first replacement also opens what stays open
                await until(lambda: client_threads() <= before + ONE_CLIENT, 60.0)
                level = handles()
            # One write fails as at a peer that went; from outside nobody can choose which.
            monkeypatch.setattr(paho.Client, "_sock_send", fail_once)
            flow.offer()
            await until(lambda done=number + 1: sum(rebuilds(service).values()) >= done, 60.0)
            await until(lambda: flow.complete, 60.0)
        await until(lambda: client_threads() <= before + ONE_CLIENT, 60.0)
        await until(lambda: handles() <= level, 60.0)


async def test_clients_that_were_refused_and_replaced_leave_no_descriptors(hub: MeanHub, tmp_path: Path) -> None:
    before = client_threads()  # of other tests in this process
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        level = 0
        for number in range(3):
            flow.offer()
            await until(lambda: flow.complete, 60.0)
            if number == 1:
                level = handles()
            hub.refuse_with = 5
            hub.reset_connections()
            await until(lambda done=number + 1: sum(rebuilds(service).values()) >= done, 60.0)
            hub.refuse_with = None
        flow.offer()
        await until(lambda: flow.complete, 60.0)
        await until(lambda: client_threads() <= before + ONE_CLIENT, 60.0)
        await until(lambda: handles() <= level, 60.0)


async def test_clients_that_were_replaced_while_the_hub_hung_leave_no_threads_and_no_descriptors(
    hub: MeanHub, tmp_path: Path
) -> None:
    before = client_threads()  # of other tests in this process
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        flow.offer()
        await until(lambda: flow.complete, 60.0)
        level = handles() + 2  # what the first replacement opens and keeps
        hub._loop.call_soon_threadsafe(time.sleep, 9.0)
        flow.offer()
        await until(lambda: rebuilds(service), 60.0)
        flow.offer()
        await until(lambda: flow.complete, 60.0)
        await until(lambda: client_threads() <= before + ONE_CLIENT, 60.0)
        await until(lambda: handles() <= level, 60.0)


async def test_a_client_that_was_made_too_late_is_shut_down(hub: MeanHub, monkeypatch: pytest.MonkeyPatch) -> None:
    before = client_threads()
    late = threading.Event()
    create = IoTHubModuleClient.create_from_edge_environment

    def create_late(**settings: object) -> IoTHubModuleClient:
        late.wait(60.0)  # as the signature of a hub that hangs
        return create(**settings)

    monkeypatch.setattr(IoTHubModuleClient, "create_from_edge_environment", create_late)
    calls = CallThread("hub.calls")
    with pytest.raises(HubCallHungError):
        await asyncio.to_thread(SdkSession.create, calls, lambda: None, Patiences())
    late.set()
    await until(lambda: calls.left_behind.count() == 0, 60.0)
    await until(lambda: client_threads() <= before, 60.0)
