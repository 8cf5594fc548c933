"""Claims by doorbell, by leave of the route: two services and a hub in memory, sockets and cursors real."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.doorbells import LONG_S, ROUTE, SHARED, Config, JudgingHub, Pair, environment, until
from vigie.contracts.inputspec import InputSpec
from vigie.frames.doorbell import Ringer, Rung, SignalSocket, socket_name
from vigie.messaging.bell_input import BellInput
from vigie.messaging.leases import LEASE_GOOD_S
from vigie.service import open_service


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    hub = JudgingHub()
    async with contextlib.AsyncExitStack() as stack:
        services = []
        for name in ("a", "b"):
            env = environment(tmp_path, name)
            env.state.mkdir()
            services.append(await stack.enter_async_context(open_service(env, Config, make_link=hub.link(name))))
        made = Pair(hub, *services)
        for service in services:
            await service.start()
        yield made


async def test_claims_leave_the_route_when_the_consumer_answers_its_lease(pair: Pair) -> None:
    offered = await pair.open_doorbell()
    await until(lambda: len(pair.got) == offered)
    by_route = pair.hub.claims()
    for number in range(offered, offered + 50):
        pair.offer(number)
    await until(lambda: len(pair.got) == offered + 50)
    assert pair.got == [f"x{number}" for number in range(offered + 50)]
    assert pair.hub.claims() == by_route


async def test_what_a_full_doorbell_did_not_take_goes_before_anything_newer(pair: Pair) -> None:
    """The kernel queues some ten datagrams (net.unix.max_dgram_qlen). Seen: newer ones went ahead of those that waited,
    and the consumer, which drops by number, took the late ones for duplicates.
    """
    number = await pair.open_doorbell()
    await until(lambda: len(pair.got) == number)
    bell = pair.output.bell
    assert bell is not None
    bell.window.messages = 64
    for _ in range(20):
        pair.working.clear()
        for _ in range(30):
            pair.offer(number)
            number += 1
        pair.working.set()
        for _ in range(30):
            pair.offer(number)
            number += 1
            time.sleep(0.0005)  # not to wait for anything: offers while the consumer empties its queue
        await until(lambda: not pair.output.outstanding)
    await until(lambda: len(pair.got) >= number)
    assert pair.got == [f"x{index}" for index in range(number)]
    assert 'vigie_messages_lost_total{input="i"}' not in pair.consumer.metrics.values()


async def test_what_was_given_up_on_the_route_and_comes_late_is_not_overtaken_by_the_doorbell(pair: Pair) -> None:
    """Seen under load: behind a slow link, newer frames came by doorbell before older ones by the route."""
    hub, output = pair.hub, pair.output
    bell = output.bell
    assert bell is not None
    output._window.timeout_s = 0.2
    hub.hold_claims()
    number = 0
    deadline = time.monotonic() + LONG_S
    while not bell.rings("x", time.monotonic()) or output._window.overdue_at() is None:
        assert time.monotonic() < deadline
        if not output.outstanding:
            pair.offer(number, keep=False)
            number += 1
        await asyncio.sleep(0.02)
    await until(lambda: not output.outstanding)  # given up: the hub has it still
    for _ in range(5):
        pair.offer(number)
        number += 1
        await asyncio.sleep(0.02)
    assert (pair.rung(), pair.got) == (0.0, [])
    hub.release_claims()
    await until(lambda: len(pair.got) == number)
    assert pair.got == [f"x{index}" for index in range(number)]
    await until(lambda: not output.outstanding)
    rung = pair.rung()
    pair.offer(number)
    await until(lambda: pair.rung() > rung)  # and the doorbell is open again


async def test_two_consumers_of_one_output_each_get_everything_by_the_route_however_slow_one_is(tmp_path: Path) -> None:
    """A doorbell reaches one consumer. Seen: what the full socket of the second one refused was lost to it."""
    hub = JudgingHub(SHARED)
    async with contextlib.AsyncExitStack() as stack:
        services = []
        for name in ("a", "b", "c"):
            env = environment(tmp_path, name)
            env.state.mkdir()
            services.append(await stack.enter_async_context(open_service(env, Config, make_link=hub.link(name))))
        pair = Pair(hub, *services[:2])
        queue = services[2].input("i", InputSpec)
        slow: list[str] = []
        may_work = threading.Event()

        def work_slowly(stop: threading.Event) -> None:
            while not stop.is_set():
                if not may_work.wait(0.05) or (received := queue.get(0.05)) is None:
                    continue
                slow.extend(item.version for item in received.items)
                received.done()

        services[2].thread("c.work", work_slowly)
        for service in (services[2], services[1], services[0]):
            await service.start()
        number = 0
        begun = time.monotonic()
        while time.monotonic() < begun + 2.5:  # past the moment at which a lone consumer is rung, and two leases
            pair.offer(number)
            number += 1
            if number == 50:  # more than the kernel queues for a socket, fewer than an input keeps
                may_work.set()
            await asyncio.sleep(0.02)
        wanted = [f"x{index}" for index in range(number)]
        await until(lambda: pair.got == wanted)
        await until(lambda: slow == wanted)
        assert pair.rung() == 0
        for service in services[1:]:
            assert 'vigie_messages_lost_total{input="i"}' not in service.metrics.values()


async def test_a_consumer_that_joins_an_output_brings_its_messages_back_to_the_route(
    pair: Pair, tmp_path: Path
) -> None:
    number = await pair.open_doorbell()
    env = environment(tmp_path, "c")
    env.state.mkdir()
    async with open_service(env, Config, make_link=pair.hub.link("c")) as joined:
        queue = joined.input("i", InputSpec)
        got: list[str] = []

        def work(stop: threading.Event) -> None:
            while not stop.is_set():
                if (received := queue.get(0.05)) is not None:
                    got.extend(item.version for item in received.items)
                    received.done()

        joined.thread("c.work", work)
        await joined.start()
        pair.hub.routes.update(SHARED)
        deadline = time.monotonic() + LONG_S
        while not got:
            assert time.monotonic() < deadline
            pair.offer(number)
            number += 1
            await asyncio.sleep(0.02)
        first, rung = int(got[0][1:]), pair.rung()
        for _ in range(50):
            pair.offer(number)
            number += 1
        await until(lambda: got == [f"x{index}" for index in range(first, number)])
        await until(lambda: pair.got == [f"x{index}" for index in range(number)])
        assert pair.rung() == rung


async def test_an_output_that_no_manifest_calls_a_lone_one_sends_no_lease(tmp_path: Path) -> None:
    """A consumer of another maker cannot say that it is there: it gets messages, ours beside it too."""
    hub = JudgingHub(SHARED)
    async with contextlib.AsyncExitStack() as stack:
        services = []
        for name in ("a", "b"):
            env = replace(environment(tmp_path, name), doorbells=frozenset())
            env.state.mkdir()
            services.append(await stack.enter_async_context(open_service(env, Config, make_link=hub.link(name))))
        pair = Pair(hub, *services)
        for service in services:
            await service.start()
        for number in range(30):
            pair.offer(number)
            await asyncio.sleep(0.02)
        await until(lambda: len(pair.got) == 30)
        bodies = [msgspec.json.decode(message.body) for message in hub.module("c").waiting]
        assert [item["version"] for body in bodies for item in body["items"]] == pair.got
        assert all(body["sent"] for body, _ in hub.seen)  # no lease


async def test_a_removed_route_closes_the_doorbell_and_a_new_one_opens_it(pair: Pair) -> None:
    number = await pair.open_doorbell()
    pair.hub.routes.clear()
    removed = time.monotonic()
    rung, last = pair.rung(), removed
    while time.monotonic() < removed + LEASE_GOOD_S + 1.5:
        pair.offer(number, keep=False)
        number += 1
        await asyncio.sleep(0.02)
        if pair.rung() > rung:
            rung, last = pair.rung(), time.monotonic()
    assert last < removed + LEASE_GOOD_S + 0.5  # the lease answered last left before the route went
    at = len(pair.got)
    pair.hub.routes.update(ROUTE)
    await pair.open_doorbell()
    await until(lambda: len(pair.got) > at)


@pytest.mark.parametrize(
    "camera_of",
    [
        pytest.param(lambda _body, properties: properties.get("camera"), id="property"),
        pytest.param(lambda body, _properties: body["items"][0].get("camera"), id="body"),
    ],
)
async def test_a_condition_on_the_camera_filters_single_cameras(
    pair: Pair, camera_of: Callable[[dict[str, object], dict[str, str]], object]
) -> None:
    pair.hub.where = lambda body, properties: camera_of(body, properties) == "x"
    deadline = time.monotonic() + LONG_S
    number = 0
    while pair.rung() < 20:
        assert time.monotonic() < deadline
        for camera in ("x", "y"):
            pair.offer(number, camera=camera, keep=False)
        number += 1
        await asyncio.sleep(0.01)
    assert [version[0] for version in pair.got] == ["x"] * len(pair.got)
    assert 'vigie_messages_lost_total{input="i"}' not in pair.consumer.metrics.values()


async def test_a_condition_on_anything_else_leaves_every_message_to_the_hub(pair: Pair) -> None:
    def where(body: dict[str, Any], _properties: dict[str, str]) -> bool:
        return body["items"][0].get("pad_value") == 114

    pair.hub.where = where
    for number in range(100):
        pair.offer(number)
        await asyncio.sleep(0.02)
    await until(lambda: len(pair.got) == 100)
    assert pair.rung() == 0


async def test_claims_go_on_while_the_hub_is_away_and_stop_when_the_grace_is_over(pair: Pair) -> None:
    number = await pair.open_doorbell()
    bell = pair.output.bell
    assert bell is not None
    pair.hub.set_reachable(reachable=False)
    cut = time.monotonic()
    while time.monotonic() < cut + LEASE_GOOD_S + 1.0:
        pair.offer(number)
        number += 1
        await asyncio.sleep(0.02)
    await until(lambda: pair.got == [f"x{index}" for index in range(number)])
    bell.leases.grace_s = 1.0
    rung = pair.rung()
    pair.offer(number)
    assert pair.rung() == rung
    pair.hub.set_reachable(reachable=True)
    await until(lambda: len(pair.got) == number + 1)


async def test_a_claim_without_the_nonce_of_a_lease_is_refused(pair: Pair, tmp_path: Path) -> None:
    offered = await pair.open_doorbell()
    await until(lambda: len(pair.got) == offered)
    body = b'{"schema":"vigie.inputspec/1","module":"a","boot":"0f","sent":1,"items":[]}'
    name = socket_name("bell", "b", "i")
    stranger = Ringer.connect(tmp_path / "signals", name, os.getuid())
    for datagram in (b"0" * 32 + b" 0\n" + body, body, b"", b"\n", b"\xff \n" + body):
        assert stranger.ring(datagram) is Rung.DONE
    rejected = 'vigie_messages_rejected_total{input="i"}'
    await until(lambda: pair.consumer.metrics.values().get(rejected, 0) >= 4)
    stranger.close()
    assert len(pair.got) == offered


def test_a_doorbell_of_another_user_is_not_rung(tmp_path: Path) -> None:
    bell = SignalSocket(tmp_path, socket_name("bell", "b", "i"))
    with pytest.raises(PermissionError, match="belongs to user"):
        Ringer.connect(tmp_path, bell.name, os.getuid() + 1)
    bell.close()


def test_a_socket_of_the_folder_is_for_user_and_group(tmp_path: Path) -> None:
    bell = SignalSocket(tmp_path, socket_name("bell", "b", "i"))
    assert (tmp_path / bell.name).stat().st_mode & 0o777 == 0o660
    bell.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(3))
async def test_order_holds_and_nothing_comes_twice_while_the_way_changes_at_random(pair: Pair, seed: int) -> None:
    chance = random.Random(seed)
    bell = pair.output.bell
    assert bell is not None
    numbers = {"x": 0, "y": 0}
    await pair.open_doorbell()
    begin = len(pair.got)
    for camera in numbers:
        numbers[camera] = 1000
    for _ in range(300):
        step = chance.random()
        if step < 0.05:
            with pair.sender._outbox.condition:
                bell.leases.gone()  # closed, until the next lease is answered
        elif step < 0.10:
            with pair.sender._outbox.condition:
                bell.leases.enabled = not bell.leases.enabled
        elif step < 0.13:
            pair.hub.set_reachable(reachable=not pair.hub.reachable)
        elif step < 0.17:
            pair.working.clear() if pair.working.is_set() else pair.working.set()
        for camera, number in list(numbers.items()):
            if chance.random() < 0.8:
                pair.offer(number, camera=camera)
                numbers[camera] = number + 1
        await asyncio.sleep(chance.random() * 0.02)
    pair.working.set()
    pair.hub.set_reachable(reachable=True)
    wanted = sum(count - 1000 for count in numbers.values())
    await until(lambda: sum(int(version[1:]) >= 1000 for version in pair.got[begin - 1 :]) >= wanted)
    for camera, count in numbers.items():
        got = [int(version[1:]) for version in pair.got if version[0] == camera and int(version[1:]) >= 1000]
        assert got == list(range(1000, count)), camera


async def test_kept_items_survive_a_consumer_that_goes_and_comes_back(tmp_path: Path) -> None:
    hub = JudgingHub()
    async with contextlib.AsyncExitStack() as stack:
        services = []
        for name in ("a", "b"):
            env = environment(tmp_path, name)
            env.state.mkdir()
            services.append(await stack.enter_async_context(open_service(env, Config, make_link=hub.link(name))))
        pair = Pair(hub, *services)
        for service in services:
            await service.start()
        number = await pair.open_doorbell()
        await until(lambda: len(pair.got) == number and pair.output.outstanding == 0)
        await services[1].stop()
        for _ in range(5):
            pair.offer(number)
            number += 1
        assert pair.output.outstanding == 5  # nobody hears: they wait, and the route has what it takes

        env = environment(tmp_path, "b")
        again = await stack.enter_async_context(open_service(env, Config, make_link=hub.link("b")))
        queue = again.input("i", InputSpec)
        got: list[str] = []

        def work(stop: threading.Event) -> None:
            while not stop.is_set():
                if (received := queue.get(0.05)) is not None:
                    got.extend(item.version for item in received.items)
                    received.done()

        again.thread("b.work", work)
        await again.start()
        await until(lambda: len(got) == 5)
        assert got == [f"x{index}" for index in range(number - 5, number)]
        rung = pair.rung()
        deadline = time.monotonic() + LONG_S
        while pair.rung() == rung:  # and the doorbell of the new start is found
            assert time.monotonic() < deadline
            pair.offer(number)
            number += 1
            await asyncio.sleep(0.02)
        await until(lambda: len(got) == number - (int(got[0][1:])))


def test_a_doorbell_that_is_closed_twice_leaves_other_files_alone(tmp_path: Path) -> None:
    bell = BellInput(tmp_path, "b", "i", link_up=lambda: True, rejected=lambda: None)
    bell.open()
    bell.close()
    other = os.memfd_create("other")  # takes the number that the doorbell had
    try:
        bell.wake()
        bell.close()
        os.fstat(other)
    finally:
        os.close(other)
