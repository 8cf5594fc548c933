"""Messages on the wire (conformance cases 23 to 29): topics, properties, sizes, what is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.hub import HubProcess, Inbox, manifest, route, running_hub
from support.wire import Wire, wire
from vigie_edgehub.mqtt.packets import PubAck, PubComp, Publish, PubRec, PubRel


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    routes = {
        "out": route("a/out", "b/in"),
        "all": 'FROM /messages/modules/c INTO BrokeredEndpoint("/modules/b/inputs/c")',
    }
    with running_hub(tmp_path_factory.mktemp("hub"), manifest(routes)) as hub:
        yield hub


@pytest.fixture
def a(hub: HubProcess) -> Iterator[Wire]:
    with wire(hub, "a") as link:
        yield link


@pytest.fixture
def b(hub: HubProcess) -> Iterator[Wire]:
    with wire(hub, "b", listen=True) as link:
        yield link


def counters(hub: HubProcess) -> dict:
    return hub.service().status()["hub"]["counters"]


def test_every_system_property_comes_out_as_it_went_in_and_the_sender_is_added(a: Wire, b: Wire) -> None:  # 23
    bag = "%24.on=out&%24.mid=m1&%24.cid=1&%24.uid=u&%24.ct=application%2Fjson&%24.ce=utf-8&%24.exp=9&Foo=Bar"
    a.telemetry(bag, b'{"x":1}')
    got = b.message()
    assert got.payload == b'{"x":1}'
    assert got.qos == 1
    device = b.client_id.partition("/")[0]
    assert got.topic == (
        f"{b.base}/inputs/in/Foo=Bar&%24.mid=m1&%24.cid=1&%24.uid=u&%24.ct=application%2Fjson&%24.ce=utf-8&%24.exp=9"
        f"&%24.cdid={device}&%24.cmid=a"
    )


def test_nobody_can_pretend_to_be_another_sender(a: Wire, b: Wire) -> None:  # 24
    a.telemetry("%24.on=out&%24.cmid=liar&%24.cdid=elsewhere")
    topic = b.message().topic
    assert "%24.cmid=a" in topic
    assert "liar" not in topic
    assert "elsewhere" not in topic


@pytest.mark.parametrize(
    "topic",
    ["devices/{d}/messages/eve/x", "devices/{d}/modules/b/messages/events/%24.on=out", "foo/bar", "$iothub/odd/"],
)
def test_a_topic_that_is_none_is_acknowledged_dropped_and_counted_and_the_link_lives_on(
    hub: HubProcess, a: Wire, b: Wire, topic: str
) -> None:  # 26
    before = counters(hub)["dropped_bad_topic"]
    packet_id = a.publish(topic.format(d=a.client_id.partition("/")[0]), b"lost")
    a.expect(PubAck, lambda ack: ack.packet_id == packet_id)
    a.output("out", b"after")
    assert b.message().payload == b"after"
    assert counters(hub)["dropped_bad_topic"] == before + 1


def test_two_keys_for_one_system_property_are_a_bad_topic(hub: HubProcess, a: Wire, b: Wire) -> None:
    before = counters(hub)["dropped_bad_topic"]
    a.telemetry("%24.on=out&%24.mid=1&%24.mid=2")
    assert counters(hub)["dropped_bad_topic"] == before + 1


@pytest.mark.parametrize("topic", ["{base}/messages/events/%24.on=out", "{base}/messages/events/%24.on=out/"])
def test_a_trailing_slash_is_optional(a: Wire, b: Wire, topic: str) -> None:  # 27
    a.publish(topic.format(base=a.base), b"here")
    assert b.message().payload == b"here"


def test_odd_property_values_pass_from_sdk_to_sdk_unchanged(hub: HubProcess) -> None:  # 28
    from azure.iot.device import Message

    inbox = Inbox()
    message = Message("täxt ✓")
    wanted = {"a/b&c=d?": "x/y&z=1?%+ é日", "plain": "v", "plus+": "+", "per%cent": "%2F", "empty": ""}
    message.custom_properties.update(wanted)
    message.message_id = "id/1"
    message.content_type = "application/json"
    message.content_encoding = "utf-8"
    with hub.sdk("b", inbox), hub.sdk("a") as sender:
        sender.send_message_to_output(message, "out")
        got = inbox.wait_for(1)[0]
    assert got.data.decode() == "täxt ✓"
    assert {key: value for key, value in got.custom_properties.items() if not key.startswith("$")} == wanted
    assert (got.message_id, got.content_type, got.content_encoding) == ("id/1", "application/json", "utf-8")
    assert got.input_name == "in"


@pytest.mark.parametrize("excess", [0, 1])
def test_the_limit_is_exact_and_counts_properties(hub: HubProcess, a: Wire, b: Wire, excess: int) -> None:  # 29
    device = a.client_id.partition("/")[0]
    properties = len("k" + "v" + "outputName" + "out" + "connectionDeviceId" + device + "connectionModuleId" + "a")
    before = counters(hub)["dropped_too_large"]
    a.telemetry("%24.on=out&k=v", b"x" * (262_144 - properties + excess))
    a.output("out", b"next")
    sizes = [len(b.message().payload) for _ in range(2 - excess)]
    assert sizes[-1] == 4
    assert counters(hub)["dropped_too_large"] == before + excess


@pytest.mark.parametrize("size", [300_000, 400_000, 2_000_000])
def test_a_far_too_large_message_is_read_acknowledged_and_dropped_and_the_next_is_fine(
    hub: HubProcess, a: Wire, b: Wire, size: int
) -> None:  # 29
    before = counters(hub)["dropped_too_large"]
    a.telemetry("%24.on=out", b"x" * size)
    a.output("out", b"next")
    assert b.message().payload == b"next"
    assert counters(hub)["dropped_too_large"] == before + 1


def test_an_sdk_string_that_slips_past_the_sdks_own_check_does_not_hurt_the_client(
    hub: HubProcess,
) -> None:  # 29, fact 10
    from azure.iot.device import Message

    inbox = Inbox()
    with hub.sdk("b", inbox), hub.sdk("a") as sender:
        sender.send_message_to_output(Message("日" * 130_000), "out")
        sender.send_message_to_output(Message("small"), "out")
        assert inbox.wait_for(1)[0].data == b"small"


def test_qos_0_is_taken_without_an_acknowledgement(a: Wire, b: Wire) -> None:
    a.publish(f"{a.base}/messages/events/%24.on=out", b"zero", qos=0)
    assert b.message().payload == b"zero"
    assert a.nothing(PubAck, 0.2)


def test_qos_2_is_seen_out_dropped_and_counted(hub: HubProcess, a: Wire) -> None:
    before = counters(hub)["dropped_qos2"]
    packet_id = a.publish(f"{a.base}/messages/events/%24.on=out", b"two", qos=2)
    assert a.expect(PubRec).packet_id == packet_id
    a.send(PubRel(packet_id))
    assert a.expect(PubComp).packet_id == packet_id
    assert counters(hub)["dropped_qos2"] == before + 1


@pytest.mark.parametrize(("flag", "name"), [("dup", "mqtt-dup"), ("retain", "mqtt-retain")])
def test_dup_and_retain_become_properties_of_that_message_only(a: Wire, b: Wire, flag: str, name: str) -> None:
    a.telemetry("%24.on=out", b"first")
    a.telemetry("%24.on=out", b"flagged", **{flag: True})
    a.telemetry("%24.on=out", b"last")
    marked = [f"{name}=true" in b.message().topic for _ in range(3)]
    assert marked == [False, True, False]


def test_a_message_without_output_reaches_its_route(hub: HubProcess, b: Wire) -> None:
    with wire(hub, "c") as c:
        c.telemetry("", b"plain")
        got = b.message()
        assert got.payload == b"plain"
        assert "/inputs/c/" in got.topic


def test_messages_are_stored_before_they_are_acknowledged(hub: HubProcess, a: Wire) -> None:
    """The store on disk has the body by the time the PUBACK is here."""
    a.output("out", b"a body that is easy to find again")
    stored = b"".join(file.read_bytes() for file in (hub.state / "messages").iterdir())
    assert b"a body that is easy to find again" in stored


def test_packets_are_published_at_qos_1_with_an_id(a: Wire, b: Wire) -> None:
    a.output("out")
    got = b.message()
    assert isinstance(got, Publish)
    assert got.packet_id > 0
