"""Misbehaviour on command, seen by real modules."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from azure.iot.device import Message

from support.service_side import DEADLINE_S, OperatedHub, manifest, served_hub, wait_until
from vigie.errors import HubAnswerError

ROUTE = {"r": 'FROM /messages/modules/A INTO BrokeredEndpoint("/modules/B/inputs/in")'}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[OperatedHub]:
    with served_hub(tmp_path, manifest("A", "B", routes=ROUTE)) as hub:
        yield hub


def test_delivery_delay_is_spent_per_message_while_acknowledgements_stay_quick(hub: OperatedHub) -> None:
    received: Queue = Queue()

    def listen(client: Any) -> None:
        client.on_message_received = lambda message: received.put(json.loads(message.data))

    with hub.module("B", prepare=listen), hub.module("A") as sender:
        hub.service().misbehave(delivery_delay_ms=100)
        begun = time.monotonic()
        for n in range(10):
            sender.send_message_to_output(Message(json.dumps(n)), "out")
        acknowledged = time.monotonic() - begun
        got = [received.get(timeout=DEADLINE_S) for _ in range(10)]
        delivered = time.monotonic() - begun
    assert sorted(got) == list(range(10))
    assert delivered >= 0.95  # ten times 100 ms, one at a time
    assert acknowledged < delivered


def test_ack_delay_holds_the_sender_back(hub: OperatedHub) -> None:
    with hub.module("A") as sender:
        hub.service().misbehave(ack_delay_ms=400)
        begun = time.monotonic()
        sender.send_message_to_output(Message("1"), "out")
        assert time.monotonic() - begun >= 0.4


def test_dropped_connections_come_back_and_nothing_is_lost(hub: OperatedHub) -> None:
    received: Queue = Queue()

    def listen(client: Any) -> None:
        client.on_message_received = lambda message: received.put(json.loads(message.data))

    with hub.module("B", prepare=listen), hub.module("A") as sender:
        sender.send_message_to_output(Message("1"), "out")
        assert received.get(timeout=DEADLINE_S) == 1
        assert hub.service().drop_connections(["B"]) == 1
        sender.send_message_to_output(Message("2"), "out")
        assert received.get(timeout=DEADLINE_S) == 2
        assert hub.service().drop_connections() == 2
        wait_until(lambda: sender.connected)


def test_an_orderly_restart_of_the_listener_lets_everybody_come_back(hub: OperatedHub) -> None:
    received: Queue = Queue()

    def listen(client: Any) -> None:
        client.on_message_received = lambda message: received.put(json.loads(message.data))

    with hub.module("B", prepare=listen) as receiver, hub.module("A") as sender:
        hub.service().restart_listener()
        wait_until(lambda: not receiver.connected or not sender.connected)
        wait_until(lambda: receiver.connected and sender.connected)
        sender.send_message_to_output(Message("3"), "out")
        assert received.get(timeout=DEADLINE_S) == 3


def test_settings_are_merged_kept_and_reset(hub: OperatedHub) -> None:
    hub.service().misbehave(ack_delay_ms=5)
    assert hub.service().misbehave(jitter=0.5, seed=7).ack_delay_ms == 5
    assert hub.service().misbehaviour().seed == 7
    assert hub.service().status()["misbehaviour"]["jitter"] == 0.5
    assert hub.service().behave().ack_delay_ms == 0


@pytest.mark.parametrize(
    "change", [{"jitter": 2}, {"drop_probability": -1}, {"ack_delay_ms": -1}, {"unknown": 1}, {"seed": "x"}]
)
def test_a_setting_that_cannot_be_is_refused_and_changes_nothing(hub: OperatedHub, change: dict[str, Any]) -> None:
    hub.service().misbehave(ack_delay_ms=5)
    with pytest.raises(HubAnswerError, match="misbehaviour"):
        hub.service().misbehave(**change)
    assert hub.service().misbehaviour().ack_delay_ms == 5
