"""The traps of azure-iot-device 2.14, one by one, with the real client against a hub that springs them."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import msgspec
import paho.mqtt.client as paho
import pytest

import vigie.messaging.session as session_module
from support.mean_hub import MeanHub, WorkloadApi, until
from support.module_a import Config, Flow, environment, ignore, module, rebuilds
from vigie.contracts.envelope import INPUT_SPEC, Envelope
from vigie.contracts.inputspec import InputSpec
from vigie.errors import HubCallHungError, PermanentError, TransientError
from vigie.messaging.link import HubLink
from vigie.messaging.subscriptions import subscribe_again
from vigie.service import open_service

SPEC = InputSpec("v1", (4, 4), "stretch")


def envelope(sent: int, boot: str = "00000001") -> bytes:
    return msgspec.json.encode(Envelope(str(INPUT_SPEC), "b", boot, sent, [SPEC]))


async def test_a_hub_that_is_not_there_at_first_is_waited_for(
    hub: MeanHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.kill()
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        flow.offer(3)
        await until(lambda: "refused" in service.health.missing().get("hub", "").lower())
        hub.start()
        await until(lambda: flow.complete)


async def test_input_waiting_for_a_restarted_module_is_not_lost(hub: MeanHub, tmp_path: Path) -> None:
    async with module(tmp_path) as service:
        service.input("i", InputSpec)
        await service.start()
        await until(
            lambda: any("inputs" in name for name in hub.sessions["a"].subscriptions) if "a" in hub.sessions else 0
        )
        await until(lambda: service.hub.connected)
    for sent in (1, 2, 3):
        hub.push_input("a", "i", envelope(sent))
    async with module(tmp_path) as service:
        inputs = service.input("i", InputSpec)
        await service.start()
        got = [await asyncio.to_thread(inputs.get, 10.0) for _ in range(3)]
    assert [message.envelope.sent if message else None for message in got] == [1, 2, 3]


async def test_messages_that_overtake_each_other_in_the_clients_pool_come_in_order(
    hub: MeanHub, tmp_path: Path
) -> None:
    async with module(tmp_path) as service:
        inputs = service.input("i", InputSpec, capacity=1000)
        await service.start()
        await until(lambda: service.hub.connected)
        for sent in range(1, 401):
            hub.push_input("a", "i", envelope(sent))
        order = []
        while len(order) < 400:
            message = await asyncio.to_thread(inputs.get, 10.0)
            assert message is not None
            order.append(message.envelope.sent)
        assert order == list(range(1, 401))


async def test_a_twin_request_cut_off_in_flight_blocks_nothing(hub: MeanHub, tmp_path: Path) -> None:
    hub.drop_on_twin_get = 1
    hub.sessions.clear()
    hub.set_desired("a", {"fps": 7}, version=5, push=False)
    async with module(tmp_path) as service:
        flow = Flow(service)
        feeding = asyncio.create_task(service.twin.run(ignore))
        await service.start()
        await until(lambda: service.twin.current == Config(7))
        flow.offer(2)
        await until(lambda: flow.complete)
        feeding.cancel()


async def test_a_version_gap_brings_the_full_twin(hub: MeanHub, tmp_path: Path) -> None:
    hub.set_desired("a", {"fps": 7}, version=5, push=False)
    async with module(tmp_path) as service:
        feeding = asyncio.create_task(service.twin.run(ignore))
        await service.start()
        await until(lambda: service.twin.version == 5)
        await until(lambda: any("desired" in name for name in hub.sessions["a"].subscriptions))
        hub.set_desired("a", {"fps": 8}, version=9)
        await until(lambda: service.twin.current == Config(8) and service.twin.version == 9)
        await until(lambda: any(patch.get("fps", {}).get("av") == 9 for patch in hub.sessions["a"].reported))
        feeding.cancel()


async def test_a_client_whose_network_thread_died_of_a_write_is_replaced(
    hub: MeanHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        flow.offer(3)
        await until(lambda: flow.complete)
        send = paho.Client._sock_send

        def fail_once(client: paho.Client, data: bytes) -> int:
            monkeypatch.setattr(paho.Client, "_sock_send", send)
            raise ssl.SSLEOFError(8, "EOF occurred in violation of protocol")

        # One write fails as at a peer that went; from outside nobody can choose which.
        monkeypatch.setattr(paho.Client, "_sock_send", fail_once)
        flow.offer(3)
        await until(lambda: any("network thread died" in key for key in rebuilds(service)))
        await until(lambda: flow.complete)


async def test_a_client_whose_network_thread_is_gone_without_a_word_is_replaced(
    hub: MeanHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with module(tmp_path) as service:
        flow = Flow(service)
        monkeypatch.setattr(threading, "excepthook", lambda _: None)  # nobody is told
        await service.start()
        flow.offer(3)
        await until(lambda: flow.complete)
        for thread in [thread for thread in threading.enumerate() if "_thread_main" in thread.name]:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        hub.push_input("a", "other", b"wakes it up")
        await until(lambda: any("network thread gone" in key for key in rebuilds(service)))
        flow.offer(3)
        await until(lambda: flow.complete)


async def test_what_was_sent_on_a_dead_connection_is_sent_again_and_arrives_once(hub: MeanHub, tmp_path: Path) -> None:
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        flow.offer(2)
        await until(lambda: flow.complete)
        hub.acknowledge = False
        flow.offer(2)
        await until(lambda: rebuilds(service))
        hub.acknowledge = True
        flow.offer(2)
        await until(lambda: flow.complete)
        assert any("send hung" in key for key in rebuilds(service))


async def test_one_failed_signature_at_renewal_does_not_end_the_module(
    hub: MeanHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = WorkloadApi(hub)
    monkeypatch.setattr(session_module, "TOKEN_TTL_S", 123)  # renewed two minutes before the end: after three seconds
    for variable, value in workload.environment("a").items():
        monkeypatch.setenv(variable, value)
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        await until(lambda: service.hub.connected)
        signed = workload.signed
        workload.sign_status = 500
        await until(lambda: service.metrics.values().get("vigie_hub_sign_failures_total", 0) > 0, 30)
        flow.offer(2)
        await until(lambda: flow.complete)  # the connection itself is not given up
        assert not rebuilds(service)
        workload.sign_status = 200
        await until(lambda: rebuilds(service))
        flow.offer(2)
        await until(lambda: flow.complete)
        assert workload.signed > signed
    workload.close()


async def test_a_workload_api_that_comes_later_is_waited_for(
    hub: MeanHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = WorkloadApi(hub)
    for variable, value in workload.environment("a").items():
        monkeypatch.setenv(variable, value)
    workload.sign_status = 503
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        await until(lambda: service.health.missing().get("hub", "not connected yet") != "not connected yet")
        workload.sign_status = 200
        flow.offer(2)
        await until(lambda: flow.complete)
    workload.close()


async def test_flow_is_back_after_the_hub_was_killed(hub: MeanHub, tmp_path: Path) -> None:
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        flow.offer(5)
        await until(lambda: flow.complete)
        hub.kill()
        flow.offer(5)
        await until(lambda: not service.hub.connected)
        hub.start()
        flow.offer(5)
        await until(lambda: flow.complete, 10.0)


async def test_refused_credentials_are_tried_again_with_a_new_token(hub: MeanHub, tmp_path: Path) -> None:
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        flow.offer(1)
        await until(lambda: flow.complete)
        hub.refuse_with = 5
        hub.reset_connections()
        await until(lambda: rebuilds(service))
        hub.refuse_with = None
        flow.offer(2)
        await until(lambda: flow.complete)


async def test_a_hub_that_accepts_and_never_speaks_does_not_hold_the_module(hub: MeanHub, tmp_path: Path) -> None:
    hub.kill()
    with contextlib.closing(socket.create_server((hub.host, 8883), backlog=50)) as silent:
        async with module(tmp_path) as service:
            flow = Flow(service)
            await service.start()
            flow.offer(2)
            await until(lambda: "no answer" in service.health.missing().get("hub", ""))
            silent.close()
            hub.start()
            await until(lambda: flow.complete, 30.0)


async def test_methods_are_answered_with_the_status_of_the_house(hub: MeanHub, tmp_path: Path) -> None:
    async with module(tmp_path) as service:
        await service.start()
        await until(lambda: "a" in hub.sessions and any("methods" in name for name in hub.sessions["a"].subscriptions))
        hub.call_method("a", "get_status", None, "r1")
        hub.call_method("a", "get_status", {"x": 1}, "r2")
        hub.call_method("a", "nope", {}, "r3")
        await until(lambda: {"r1", "r2", "r3"} <= set(hub.methods))
    assert hub.methods["r1"][0] == 200
    assert hub.methods["r1"][1]["module"] == "a"
    assert hub.methods["r2"][0] == 400
    assert hub.methods["r2"][1]["path"] == "$.x"
    assert hub.methods["r3"][0] == 404


async def test_acknowledgements_slower_than_the_first_limit_do_not_send_the_same_message_for_ever(
    hub: MeanHub, tmp_path: Path
) -> None:
    hub.acknowledge_s = 5.0
    async with module(tmp_path) as service:
        upstream = service.output("telemetry", None)
        await service.start()
        await until(lambda: service.hub.connected, 30.0)
        with pytest.raises(TransientError):
            await asyncio.to_thread(upstream.send, b"{}", {}, "m1")
        await asyncio.to_thread(upstream.send, b"{}", {}, "m1")
        # The pace is known now: the next is sent once.
        await asyncio.to_thread(upstream.send, b"{}", {}, "m2")
    assert sum(output == "telemetry" for _, output, _ in hub.published) == 3


async def test_a_confirmation_that_a_dropped_connection_took_along_holds_no_thread(
    hub: MeanHub, tmp_path: Path
) -> None:
    async with module(tmp_path) as service:
        flow = Flow(service)
        await service.start()
        flow.offer(2)
        await until(lambda: flow.complete)
        asked = len(hub.sessions["a"].subscriptions)
        hub.confirm_subscriptions = False
        hub.reset_connections()
        await until(lambda: len(hub.sessions["a"].subscriptions) > asked)
        hub.confirm_subscriptions = True
        asked = len(hub.sessions["a"].subscriptions)
        hub.reset_connections()
        # The SDK asks again for what it lost after half a minute; the next connection asks at once.
        await until(lambda: len(hub.sessions["a"].subscriptions) > asked)
        flow.offer(2)
        await until(lambda: flow.complete)
        await until(lambda: not any(_is_within(frame, subscribe_again) for frame in sys._current_frames().values()), 3)


def _is_within(frame: FrameType | None, function: Callable[..., object]) -> bool:
    while frame is not None:
        if frame.f_code is function.__code__:
            return True
        frame = frame.f_back
    return False


async def test_past_the_bound_of_hung_calls_the_module_ends_with_the_reason(hub: MeanHub, tmp_path: Path) -> None:
    hub.kill()

    async def run() -> None:
        link = partial(HubLink, left_behind_limit=1)
        async with open_service(environment(tmp_path), Config, make_link=link) as service:
            await service.start()
            await asyncio.Event().wait()

    with (
        contextlib.closing(socket.create_server((hub.host, 8883), backlog=50)),
        pytest.raises(PermanentError, match=r"[23] calls of the hub client never returned \(at most 1 are") as ended,
    ):
        await asyncio.wait_for(asyncio.create_task(run()), 60.0)
    assert isinstance(ended.value.__cause__, HubCallHungError)  # failed, exit code 1, and not misconfigured
