"""Store and forward (conformance cases 36 to 44), with real processes that are really killed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.hub import HubProcess, Inbox, manifest, route, running_hub, wait_until
from support.wire import wire
from vigie_edgehub.mqtt.packets import PubAck, Publish

OUT = {"out": route("a/out", "b/in")}


def with_priority(output: str, priority: int, ttl_s: int = 0) -> dict:
    return {"route": route(f"a/{output}", "b/in"), "priority": priority, "timeToLiveSecs": ttl_s}


def hub_status(hub: HubProcess) -> dict:
    return hub.service().status()["hub"]


def test_what_was_sent_while_the_receiver_was_away_comes_in_order_to_an_sdk_client(tmp_path: Path) -> None:  # 36
    from azure.iot.device import Message

    with running_hub(tmp_path, manifest(OUT)) as hub:
        sender = hub.connected("a")
        for number in range(10):
            sender.send_message_to_output(Message(str(number)), "out")
        with wire(hub, "b", listen=True) as b:
            assert [b.message().payload for _ in range(10)] == [str(number).encode() for number in range(10)]


def test_a_receiver_that_does_not_acknowledge_gets_the_message_again_and_the_next_waits(tmp_path: Path) -> None:  # 37
    with (
        running_hub(tmp_path, manifest(OUT), settings={"ack_timeout_s": 0.5}) as hub,
        wire(hub, "a") as a,
        wire(hub, "b", listen=True) as b,
    ):
        a.output("out", b"first")
        a.output("out", b"second")
        first = b.message(ack=False)
        again = b.message(ack=False)
        assert [first.payload, again.payload] == [b"first", b"first"]
        assert (first.dup, again.dup) == (False, True)
        b.ack(again)
        assert b.message().payload == b"second"


def test_a_message_that_cannot_be_sent_on_is_dropped_and_does_not_block_the_rest(tmp_path: Path) -> None:  # 38
    with (
        running_hub(tmp_path, manifest(OUT)) as hub,
        wire(hub, "a") as a,
        wire(hub, "b", listen=True) as b,
    ):
        # A short enough topic on the way in; written out with percents, as receivers need it, it is too long.
        a.telemetry("%24.on=out&k=" + "!" * 40_000, b"unsendable")
        a.output("out", b"after")
        assert b.message().payload == b"after"
        assert hub_status(hub)["counters"]["dropped_unsendable"] == 1


@pytest.mark.parametrize(("ttl_s", "arrives"), [(1, False), (-1, True)], ids=["expired", "for ever"])
def test_the_global_time_to_live_decides_what_a_late_receiver_gets(
    tmp_path: Path, ttl_s: int, arrives: bool
) -> None:  # 39
    with running_hub(tmp_path, manifest(OUT, ttl_s=ttl_s)) as hub, wire(hub, "a") as a:
        a.output("out", b"old")
        begun = time.monotonic()
        wait_until(lambda: time.monotonic() > begun + 1.2)
        a.output("out", b"new")
        with wire(hub, "b", listen=True) as b:
            assert b.message().payload == (b"old" if arrives else b"new")


def test_more_urgent_lanes_come_first_when_the_receiver_is_back(tmp_path: Path) -> None:  # 40
    routes = {"low": with_priority("low", 9), "mid": with_priority("mid", 5), "high": with_priority("high", 0)}
    with running_hub(tmp_path, manifest(routes)) as hub, wire(hub, "a") as a:
        for number in range(3):
            for output in ("low", "mid", "high"):
                a.output(output, f"{output}{number}".encode())
        with wire(hub, "b", listen=True) as b:
            got = [b.message().payload.decode() for _ in range(9)]
    assert got == [f"{output}{number}" for output in ("high", "mid", "low") for number in range(3)]


def test_each_route_has_its_own_time_to_live(tmp_path: Path) -> None:  # 41
    routes = {"short": with_priority("short", 1, 1), "long": with_priority("long", 2, 3600)}
    with running_hub(tmp_path, manifest(routes)) as hub, wire(hub, "a") as a:
        a.output("short", b"short")
        a.output("long", b"long")
        begun = time.monotonic()
        wait_until(lambda: time.monotonic() > begun + 1.2)
        with wire(hub, "b", listen=True) as b:
            assert b.message().payload == b"long"
            assert b.nothing(Publish, 0.3)


def test_a_removed_route_discards_its_queue_and_the_other_endpoints_copy_stays(tmp_path: Path) -> None:  # 42
    both = {"to_b": route("a/out", "b/in"), "to_c": route("a/out", "c/in")}
    with running_hub(tmp_path, manifest(both)) as hub, wire(hub, "a") as a:
        a.output("out", b"kept for c")
        hub.service().apply_configuration(manifest({"to_c": both["to_c"]}))
        hub.service().apply_configuration(manifest(both))
        with wire(hub, "b", listen=True) as b, wire(hub, "c", listen=True) as c:
            assert c.message().payload == b"kept for c"
            assert b.nothing(Publish, 0.3)


def test_a_full_store_holds_acknowledgements_back_until_there_is_room(tmp_path: Path) -> None:  # 43
    content = manifest(OUT)
    desired = content["modulesContent"]["$edgeHub"]["properties.desired"]
    desired["storeAndForwardConfiguration"]["storeLimits"] = {"maxSizeBytes": 2000}
    with running_hub(tmp_path, content) as hub, wire(hub, "a") as a:
        a.output("out", b"x" * 1500)
        late = a.publish(f"{a.base}/messages/events/%24.on=out", b"y" * 1500)
        assert a.nothing(PubAck, 0.5)
        assert hub.events("store_full")
        with wire(hub, "b", listen=True) as b:
            assert b.message().payload == b"x" * 1500
            assert a.expect(PubAck).packet_id == late
            assert b.message().payload == b"y" * 1500


def test_a_hundred_waiting_messages_survive_kill_9_of_the_hub(tmp_path: Path) -> None:  # 44
    from azure.iot.device import Message

    with running_hub(tmp_path, manifest(OUT)) as hub:
        sender = hub.connected("a")
        for number in range(100):
            sender.send_message_to_output(Message(str(number)), "out")
        hub.kill9()
        hub.start()
        with wire(hub, "b", listen=True) as b:
            assert [int(b.message().payload) for _ in range(100)] == list(range(100))
        wait_until(lambda: hub_status(hub)["stored_messages"] == 0)


def test_sdk_clients_find_the_hub_again_after_kill_9_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:  # 44
    from azure.iot.device import Message

    with running_hub(tmp_path, manifest(OUT)) as hub:
        inbox = Inbox()
        hub.connected("b", inbox)
        sender = hub.connected("a")
        acknowledged = []
        for number in range(60):
            if number in (20, 40):
                hub.kill9()
                hub.start()
            deadline = time.monotonic() + 30
            while True:
                try:
                    sender.send_message_to_output(Message(str(number)), "out")
                    break
                except Exception:
                    assert time.monotonic() < deadline, "the sender did not come back"
                    time.sleep(0.1)
            acknowledged.append(str(number).encode())
        wait_until(lambda: set(acknowledged) <= set(inbox.bodies), 30, "every acknowledged message arrives")


def test_a_torn_tail_costs_the_newest_message_and_the_hub_starts(tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest(OUT)) as hub:
        with wire(hub, "a") as a:
            a.output("out", b"whole")
            a.output("out", b"torn")
        hub.kill9()
        with (hub.state / "messages" / "messages.sqlite-wal").open("r+b") as file:
            file.truncate(file.seek(0, 2) - 100)
        hub.start()
        with wire(hub, "b", listen=True) as b:
            assert b.message().payload == b"whole"


def test_a_damaged_store_is_set_aside_and_the_hub_starts(tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest(OUT)) as hub:
        with wire(hub, "a") as a:
            a.output("out", b"lost")
        hub.kill9()
        for path in (hub.state / "messages").iterdir():
            path.write_bytes(b"garbage" * 1000)
        hub.start()
        assert hub.events("store_unreadable")
        with wire(hub, "a") as a, wire(hub, "b", listen=True) as b:
            a.output("out", b"new")
            assert b.message().payload == b"new"


def test_messages_for_a_module_whose_link_breaks_before_its_acknowledgement_come_again(tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest(OUT)) as hub, wire(hub, "a") as a:
        with wire(hub, "b", listen=True) as b:
            a.output("out", b"again")
            b.message(ack=False)
        with wire(hub, "b", listen=True) as b:
            got = b.message()
            assert (got.payload, got.dup) == (b"again", True)
