"""Which messages reach whom: conformance 1 to 9, 11 and 13, against the running hub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.iot.device import Message

from support.hub import HubProcess, Inbox, manifest, running_hub
from support.routing_bench import RoutingBench, routing_bench

TO_ML_1 = "INTO BrokeredEndpoint('/modules/ml/inputs/in1')"
TO_ML_2 = "INTO BrokeredEndpoint('/modules/ml/inputs/in2')"
TO_ASA = "INTO BrokeredEndpoint('/modules/asa/inputs/input1')"
UP = "INTO $upstream"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub(
        tmp_path_factory.mktemp("routing"), manifest(modules=["ml", "asa", "probe", "sdkA", "sdkB"])
    ) as hub:
        yield hub


@pytest.fixture(scope="module")
def bench(hub: HubProcess) -> Iterator[RoutingBench]:
    with routing_bench(hub, "ml", "asa", others=("sdkA", "sdkB")) as bench:
        yield bench


def bodies(received: dict) -> dict[str, list[bytes]]:
    return {
        endpoint: [one.body_bytes() if endpoint == "$upstream" else one.body for one in messages]
        for endpoint, messages in received.items()
    }


def test_telemetry_of_the_device_goes_upstream_and_to_no_module(bench: RoutingBench) -> None:  # 1
    bench.route(f"FROM /messages {UP}", f"FROM /messages/modules/ml {TO_ML_1}")
    bench.send(None, body=b"leaf", temp="60", _mid="m1", _ct="text/plain", _ce="utf-8")
    received = bench.received()
    assert bodies(received) == {"$upstream": [b"leaf"]}
    record = received["$upstream"][0]
    assert record.properties == {"temp": "60"}
    assert record.system_properties["message-id"] == "m1"
    assert record.system_properties["content-type"] == "text/plain"


def test_telemetry_of_the_device_goes_to_a_module_and_not_upstream(bench: RoutingBench) -> None:  # 2
    bench.route(f"FROM /messages {TO_ML_1}", f"FROM /messages/modules/ml/outputs/x {UP}")
    bench.send(None, body=b"leaf", temp="60")
    received = bench.received()
    assert bodies(received) == {"ml/in1": [b"leaf"]}
    assert received["ml/in1"][0].properties["temp"] == "60"


def test_each_stage_of_a_chain_gets_only_what_the_stage_before_sent(bench: RoutingBench) -> None:  # 3
    bench.route(
        f"FROM /messages WHERE NOT is_defined($connectionModuleId) {TO_ML_1}",
        f"FROM /messages/modules/ml {TO_ASA}",
        f"FROM /messages/modules/asa/outputs/output1 {UP}",
    )
    bench.send(None, body=b"raw")
    assert bodies(bench.received()) == {"ml/in1": [b"raw"]}
    bench.send("ml", "out", b"scored")
    assert bodies(bench.received()) == {"asa/input1": [b"scored"]}
    bench.send("asa", "output1", b"summary")
    assert bodies(bench.received()) == {"$upstream": [b"summary"]}


def test_outputs_of_one_module_go_their_own_ways_also_back_to_itself(bench: RoutingBench) -> None:  # 4
    bench.route(f"FROM /messages/modules/ml/outputs/op1 {TO_ML_2}", f"FROM /messages/modules/ml/outputs/op2 {TO_ASA}")
    bench.send("ml", "op1", b"again")
    assert bodies(bench.received()) == {"ml/in2": [b"again"]}
    bench.send("ml", "op2", b"on")
    assert bodies(bench.received()) == {"asa/input1": [b"on"]}


def test_a_message_without_output_is_routed_by_its_module(bench: RoutingBench) -> None:  # 5
    bench.route(f"FROM /messages/modules/ml {TO_ASA}")
    bench.send("ml", None, b"plain")
    assert bodies(bench.received()) == {"asa/input1": [b"plain"]}


def test_a_message_without_output_matches_no_output_and_is_still_acknowledged(bench: RoutingBench) -> None:  # 6
    bench.route(f"FROM /messages/modules/asa/outputs/output1 {UP}", f"FROM /messages/modules/asa/outputs/* {TO_ML_1}")
    bench.send("asa", None, b"plain")
    assert bench.received() == {}


def test_conditions_on_properties_and_conversions_route(bench: RoutingBench) -> None:  # 7
    bench.route(
        f"FROM /messages WHERE as_number(temp) > 50 {TO_ML_1}",
        f"FROM /messages/modules/ml WHERE messageType = 'alert' {TO_ASA}",
        f"FROM /messages/modules/asa/outputs/output1 WHERE info = 'aggregate' {UP}",
    )
    bench.send(None, body=b"hot", temp="60")
    assert bodies(bench.received()) == {"ml/in1": [b"hot"]}
    bench.send("ml", None, b"alarm", messageType="alert")
    assert bodies(bench.received()) == {"asa/input1": [b"alarm"]}
    bench.send("asa", "output1", b"sum", info="aggregate")
    assert bodies(bench.received()) == {"$upstream": [b"sum"]}
    bench.send(None, body=b"cold", temp="50")
    bench.send("ml", None, b"calm", messageType="info")
    bench.send("asa", "output1", b"detail", info="detail")
    assert bench.received() == {}


def test_of_two_opposite_conditions_exactly_one_takes_each_message(bench: RoutingBench) -> None:  # 8
    bench.route(
        f"FROM /messages WHERE as_number(temp) > 50 {TO_ML_1}", f"FROM /messages WHERE as_number(temp) < 50 {TO_ASA}"
    )
    for temp in range(46, 56):
        bench.send(None, body=str(temp).encode(), temp=str(temp))
    assert bodies(bench.received()) == {
        "asa/input1": [b"46", b"47", b"48", b"49"],
        "ml/in1": [b"51", b"52", b"53", b"54", b"55"],
    }


def test_conditions_on_system_properties_route(bench: RoutingBench) -> None:  # 9
    json_ = "$contentType='application/json'"
    bench.route(
        f"FROM /messages WHERE {json_} AND $contentEncoding='utf-8' {TO_ML_1}",
        f"FROM /messages WHERE {json_} AND $contentEncoding <> 'utf-8' {TO_ASA}",
    )
    bench.send(None, body=b"8", _ct="application/json", _ce="utf-8")
    bench.send(None, body=b"16", _ct="application/json", _ce="utf-16")
    bench.send(None, body=b"unknown", _ct="application/json")
    bench.send(None, body=b"other", _ct="application/xml", _ce="utf-8")
    assert bodies(bench.received()) == {"ml/in1": [b"8"], "asa/input1": [b"16"]}


SOURCES = {
    "module output": (
        ("ml", "Op1"),
        [
            "/*",
            "/messages",
            "/messages/*",
            "/messages/modules",
            "/messages/modules/*",
            "/messages/modules/ml",
            "/messages/modules/ml/*",
            "/messages/modules/ml/outputs",
            "/messages/modules/ml/outputs/*",
            "/messages/modules/ml/outputs/Op1",
            "/MESSAGES/modules/ML/outputs/op1",
        ],
        [
            "/foo",
            "/*/bar/*",
            "/modulemessages",
            "/messages/events",
            "/messages/modules/events",
            "/messages/modules/asa",
            "/messages/modules/asa/*",
            "/messages/modules/ml/outputs/Op2",
            "/messages/modules/*/outputs/Op1",
        ],
    ),
    "telemetry of the device": (
        (None, None),
        ["/*", "/messages", "/messages/*"],
        [
            "/twinChangeNotifications",
            "/foo/*",
            "/message",
            "/*/messages/*",
            "/messages/event",
            "/messages/modules",
            "/messages/modules/*",
            "/messages/modules/ml",
            "/messages/modules/ml/*",
        ],
    ),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_that_matches_delivers_and_no_other(bench: RoutingBench, kind: str) -> None:  # 11
    (module, output), matching, others = SOURCES[kind]
    bench.route(
        *(
            f"FROM {source} WHERE case = 'sources' INTO BrokeredEndpoint('/modules/asa/inputs/s{n}')"
            for n, source in enumerate([*matching, *others])
        )
    )
    bench.send(module, output, b"which", case="sources")
    assert set(bench.received()) == {f"asa/s{n}" for n in range(len(matching))}


def test_a_message_that_no_route_takes_is_acknowledged_dropped_and_counted(bench: RoutingBench) -> None:  # 13
    bench.route(f"FROM /messages/modules/asa {TO_ML_1}")
    before = bench.dropped("no_route")
    bench.send("ml", "nobody", b"lost")
    assert bench.dropped("no_route") == before + 1
    assert bench.received() == {}


def test_the_real_sdk_gets_body_properties_and_sender_of_what_the_real_sdk_sent(
    hub: HubProcess, bench: RoutingBench
) -> None:  # 3 to 5 with the SDK
    bench.route("FROM /messages/modules/sdkA/outputs/frames INTO BrokeredEndpoint('/modules/sdkB/inputs/in')")
    arrived = Inbox()
    sent = Message(b'{"n": 1}', message_id="m-1", content_type="application/json", content_encoding="utf-8")
    sent.correlation_id = "c-1"
    sent.custom_properties = {"a/b": "c&d=e", "space": "x y", "accent": "é", "plus": "1+1", "percent": "100%"}
    hub.connected("sdkB", arrived)
    sender = hub.connected("sdkA")
    sender.send_message(Message(b"no output: no route"))
    sender.send_message_to_output(sent, "frames")
    (got,) = arrived.wait_for(1)
    assert (got.input_name, got.data) == ("in", b'{"n": 1}')
    assert (got.message_id, got.correlation_id) == ("m-1", "c-1")
    assert (got.content_type, got.content_encoding) == ("application/json", "utf-8")
    device = hub.description["device_id"]
    assert got.custom_properties == sent.custom_properties | {"$.cdid": device, "$.cmid": "sdkA"}
