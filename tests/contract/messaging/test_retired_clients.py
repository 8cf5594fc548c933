"""A client that is replaced leaves nothing in the process: no thread, no descriptor (azure-iot-device 2.14)."""

from __future__ import annotations

import ssl
import threading
from collections import Counter
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from azure.iot.device.common.alarm import Alarm

from support.mean_hub import MeanHub, until
from support.module_a import Flow, module, rebuilds

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
