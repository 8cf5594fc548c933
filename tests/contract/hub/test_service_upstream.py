"""What real modules send upstream is recorded whole, once, in order, over faults and kill -9 of the hub."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.iot.device import Message

from support.service_side import OperatedHub, manifest, served_hub, wait_until
from vigie.errors import HubAnswerError
from vigie_edgehub.upstream import UpstreamFilter, UpstreamReader, record_file

ALL_UP = {"all": "FROM /messages/* INTO $upstream"}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[OperatedHub]:
    with served_hub(tmp_path, manifest("A", "B", routes=ALL_UP)) as hub:
        yield hub


def numbers(hub: OperatedHub, **wanted: Any) -> list[Any]:
    return [json.loads(record.body_bytes())["n"] for record in hub.service().upstream(**wanted)]


def send(client: Any, n: int) -> None:
    message = Message(b'{"n": %d}' % n)
    message.content_type, message.content_encoding = "application/json", "utf-8"
    client.send_message_to_output(message, "out")


def test_a_message_arrives_with_all_its_properties_under_their_endpoint_names(hub: OperatedHub) -> None:
    message = Message(b'{"t": 21.50}')
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.message_id, message.correlation_id, message.user_id = "m/1 ä", "c1", "u1"
    message.custom_properties = {"level": "high & low", "ü": "=?/%"}
    with hub.module("A") as module:
        module.send_message_to_output(message, "out")
        module.send_message(Message(b"\x00\xff"))
    wait_until(lambda: hub.service().status()["upstream"]["messages"] == 2)
    first, second = hub.service().upstream()
    assert (first.module, first.output, first.body_encoding) == ("A", "out", "json")
    assert bytes(first.body) == b'{"t": 21.50}'
    assert first.properties == {"level": "high & low", "ü": "=?/%"}
    expected = {
        "message-id": "m/1 ä", "correlation-id": "c1", "user-id": "u1", "content-type": "application/json",
        "content-encoding": "utf-8", "iothub-connection-device-id": hub.description["device_id"],
        "iothub-connection-module-id": "A", "iothub-outputname": "out", "iothub-message-source": "Telemetry",
        "iothub-enqueuedtime": first.enqueued_time,
    }  # fmt: skip
    assert expected.items() <= first.system_properties.items()
    assert (second.output, second.body_encoding, second.body_bytes()) == (None, "base64", b"\x00\xff")
    assert second.sequence_number > first.sequence_number


def test_a_twin_change_that_is_routed_upstream_is_marked_as_one(tmp_path: Path) -> None:
    with served_hub(tmp_path, manifest("A", routes={"t": "FROM /twinChangeNotifications INTO $upstream"})) as hub:
        with hub.module("A") as module:
            module.patch_twin_reported_properties({"state": "running"})

        def of_a() -> list[Any]:
            return [r for r in hub.service().upstream() if r.system_properties["iothub-connection-module-id"] == "A"]

        record = wait_until(of_a)[0]
        assert record.system_properties["iothub-message-source"] == "twinChangeEvents"
        assert b'"running"' in record.body_bytes()


def test_upstream_offline_keeps_messages_and_online_delivers_them_in_order(hub: OperatedHub) -> None:
    hub.service().misbehave(upstream_online=False)
    with hub.module("A") as module:
        for n in range(20):
            send(module, n)
    assert numbers(hub) == []
    hub.service().misbehave(upstream_online=True)
    wait_until(lambda: numbers(hub) == list(range(20)))


def test_everything_acknowledged_is_recorded_once_over_kill_9_of_the_hub(hub: OperatedHub) -> None:
    """SDK sends are sequential here: what returned was acknowledged, and must be in the record after the restart."""
    acknowledged: list[int] = []
    stop = threading.Event()

    def work(client: Any) -> None:
        for n in itertools.count():
            if stop.is_set():
                return
            try:
                send(client, n)
            except Exception:  # the hub died under this one: not acknowledged
                return
            acknowledged.append(n)

    client = hub.client("A")
    client.connect()
    sender = threading.Thread(target=work, args=(client,), daemon=True)
    sender.start()
    wait_until(lambda: len(acknowledged) > 150)
    promised = list(acknowledged)
    hub.kill9()
    stop.set()
    hub.start()
    wait_until(lambda: set(promised) <= set(numbers(hub)))
    with UpstreamReader(record_file(hub.state)) as reader:
        found = [json.loads(record.body_bytes())["n"] for record in reader.read()]
    assert found[: len(promised)] == promised


def test_a_follower_over_rest_sees_what_arrives_and_ends_with_the_hub(hub: OperatedHub) -> None:
    seen: list[int] = []

    def follow() -> None:
        seen.extend(json.loads(record.body_bytes())["n"] for record in hub.service().upstream(follow=True))

    follower = threading.Thread(target=follow, daemon=True)
    with hub.module("A") as module:
        send(module, 1)
        follower.start()
        wait_until(lambda: seen == [1])
        send(module, 2)
        wait_until(lambda: seen == [1, 2])
    hub.stop()
    follower.join(10)
    assert not follower.is_alive()


def test_rest_queries_select_by_module_sequence_and_count(hub: OperatedHub) -> None:
    with hub.module("A") as a, hub.module("B") as b:
        for n in range(3):
            send(a, n)
            send(b, 10 + n)
    wait_until(lambda: hub.service().status()["upstream"]["messages"] == 6)
    assert numbers(hub, wanted=UpstreamFilter(module="B")) == [10, 11, 12]
    assert numbers(hub, wanted=UpstreamFilter(module="A"), last=1) == [2]
    assert numbers(hub, limit=2) == numbers(hub)[:2]
    everything = list(hub.service().upstream())
    assert numbers(hub, after=everything[3].sequence_number) == numbers(hub)[4:]
    with pytest.raises(HubAnswerError, match="'after' must be a number"):
        list(hub.service().upstream(after="x"))
