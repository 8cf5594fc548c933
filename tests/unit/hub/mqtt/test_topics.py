from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import quote

import pytest
from azure.iot.device import Message
from azure.iot.device.iothub.pipeline import mqtt_topic_iothub as sdk
from hypothesis import given
from hypothesis import strategies as st

from vigie_edgehub.mqtt.system_properties import FROM_WIRE, TO_WIRE
from vigie_edgehub.mqtt.topics import (
    MethodAnswer,
    Subscription,
    Telemetry,
    TopicRefused,
    TwinGet,
    TwinReport,
    desired_patch_topic,
    devicebound_topic,
    input_topic,
    method_request_topic,
    parse_inbound,
    subscription_of,
    twin_answer_topic,
)

HARD = "a/b&c=d?e%f+g h é日\U0001f600 $.ct"


@pytest.mark.parametrize(
    ("topic", "meaning"),
    [
        ("devices/d/modules/m/messages/events", Telemetry("d", "m", {}, {})),
        ("devices/d/modules/m/messages/events/", Telemetry("d", "m", {}, {})),
        ("devices/d/messages/events", Telemetry("d", None, {}, {})),
        ("devices/d/messages/events/", Telemetry("d", None, {}, {})),
        ("devices/d/modules/m/messages/events/a=b", Telemetry("d", "m", {"a": "b"}, {})),
        ("devices/d/modules/m/messages/events/a=b/", Telemetry("d", "m", {"a": "b"}, {})),
        ("devices/d/messages/events/%24.mid=7&b=", Telemetry("d", None, {"b": ""}, {"messageId": "7"})),
        ("devices/d/modules/m/messages/events/%24.on=o&a=b", Telemetry("d", "m", {"a": "b"}, {"outputName": "o"})),
        (
            "devices/d/modules/m/messages/events/$.ct=x&lonely",
            Telemetry("d", "m", {"lonely": ""}, {"contentType": "x"}),
        ),
        ("devices/d/modules/m/messages/events/%24.cdid=lie", Telemetry("d", "m", {"$.cdid": "lie"}, {})),
        ("devices/d/modules/m/messages/events/a=b=c", Telemetry("d", "m", {"a": "b=c"}, {})),
        ("devices/d%201/modules/m x/messages/events/a=1+1", Telemetry("d%201", "m x", {"a": "1+1"}, {})),
        ("$iothub/twin/GET/?$rid=r1", TwinGet("r1")),
        ("$iothub/twin/GET/", TwinGet(None)),
        ("$iothub/twin/GET/sub/?$rid=1", TwinGet("1", "sub")),
        ("$iothub/twin/PATCH/properties/reported/?$rid=r2", TwinReport("r2")),
        ("$iothub/twin/PATCH/properties/reported/?$rid=r2&$version=4", TwinReport("r2", "4")),
        ("$iothub/twin/PATCH/properties/reported/", TwinReport(None)),
        ("$iothub/methods/res/200/?$rid=7", MethodAnswer("7", 200)),
        ("$iothub/methods/res/-1/?$rid=7", MethodAnswer("7", -1)),
        ("$iothub/methods/res/okay/?$rid=7", MethodAnswer("7", None)),
        ("$iothub/methods/res/200/", MethodAnswer(None, 200)),
    ],
)
def test_a_published_topic_means_what_edgehub_says(topic: str, meaning: Any) -> None:
    assert parse_inbound(topic) == meaning


@pytest.mark.parametrize(
    "topic",
    [
        "devices/d/messages/eve/a=b",
        "devices/d/messages",
        "devices/d/modules/m/messages/events/a=b/c=d",
        "devices/d/modules/m/messages/events/a=b//",
        "devices/d/modules//messages/events/",
        "devices//messages/events/",
        "devices/d/modules/m/inputs/in1/",
        "$iothub/twin/PATCH/properties/desired/?$rid=1",
        "$iothub/else",
        "anything",
        "devices/d/modules/m/messages/events/%24.ct=a&%24.ct=b",
        "devices/d/modules/m/messages/events/a=1&a=2",
    ],
)
def test_a_topic_without_meaning_is_refused_with_a_reason(topic: str) -> None:
    with pytest.raises(TopicRefused) as refusal:
        parse_inbound(topic)
    assert refusal.value.reason


@given(st.text(max_size=200), st.sampled_from(["", "devices/d/modules/m/messages/events/", "$iothub/"]))
def test_any_topic_is_parsed_or_refused(rest: str, start: str) -> None:
    with contextlib.suppress(TopicRefused):
        parse_inbound(start + rest)


def test_every_system_property_comes_in_by_its_wire_name_and_goes_out_again_except_output_and_interface() -> None:
    wire = {key: f"value of {key}" for key in FROM_WIRE}
    bag = "&".join(f"{quote(key)}={quote(value)}" for key, value in wire.items())
    inbound = parse_inbound(f"devices/d/modules/m/messages/events/{bag}")
    assert isinstance(inbound, Telemetry)
    assert inbound.system_properties == {FROM_WIRE[key]: value for key, value in wire.items()}
    assert inbound.app_properties == {}
    bag = input_topic("d", "b", "in", {}, inbound.system_properties)
    assert "%24.on" not in bag
    assert "%24.ifid" not in bag
    assert bag.count("=") == len(wire) - 2
    assert set(TO_WIRE.values()) == set(FROM_WIRE) - {"$.on", "$.ifid"} | {"$.cdid", "$.cmid"}


def test_an_input_topic_has_the_exact_shape_of_edgehub() -> None:
    topic = input_topic(
        "dev",
        "b",
        "in1",
        {"Foo": "Bar"},
        {
            "contentEncoding": "utf-8",
            "contentType": "application/json",
            "cid": "1",
            "messageId": "m1",
            "outputName": "o",
            "connectionDeviceId": "dev",
            "connectionModuleId": "modA",
            "edgeMessageId": "not for receivers",
        },
    )
    assert topic == (
        "devices/dev/modules/b/inputs/in1/"
        "Foo=Bar&%24.ce=utf-8&%24.ct=application%2Fjson&%24.cid=1&%24.mid=m1&%24.cdid=dev&%24.cmid=modA"
    )


def test_a_sender_cannot_pretend_to_be_another() -> None:
    topic = input_topic("d", "b", "in", {"$.cmid": "lie", "a": "1"}, {"connectionModuleId": "true"})
    assert topic.endswith("/%24.cmid=true&a=1")


def test_a_twin_notification_names_the_reporter_not_the_hub() -> None:
    system = {
        "rpSenderDeviceId": "d",
        "rpSenderModuleId": "reporter",
        "connectionDeviceId": "d",
        "connectionModuleId": "$edgeHub",
    }
    assert "%24.cmid=reporter" in input_topic("d", "b", "in", {}, system)


keys = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20).filter(
    lambda key: key not in FROM_WIRE and not key.startswith("$.") and key != "iothub-ack"
)
values = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@given(st.dictionaries(keys, values, max_size=5), values, st.sampled_from([None, "out/1", "o"]))
def test_what_the_sdk_sends_is_read_and_built_the_same(
    custom: dict[str, str], content_type: str, output: str | None
) -> None:
    message = Message(
        b"", message_id="m/1", content_type=content_type or None, content_encoding="utf-8", output_name=output
    )
    message.custom_properties = dict(custom)
    base = sdk.get_telemetry_topic_for_publish("my device", "module%1")
    topic = sdk.encode_message_properties_in_topic(message, base)
    inbound = parse_inbound(topic)
    assert isinstance(inbound, Telemetry)
    assert (inbound.device, inbound.module, inbound.output) == ("my device", "module%1", output)
    assert inbound.app_properties == custom
    assert inbound.system_properties.get("contentType") == (content_type or None)


@given(st.dictionaries(keys, values, max_size=5), values, st.text("abc /+#%?", min_size=1, max_size=8))
def test_what_is_delivered_is_read_by_the_sdk_unchanged(
    custom: dict[str, str], message_id: str, input_name: str
) -> None:
    topic = input_topic("dev", "mod", input_name, custom, {"messageId": message_id, "connectionModuleId": "sender"})
    assert sdk.is_input_topic(topic, "dev", "mod")
    assert sdk.get_input_name_from_topic(topic) == input_name
    received = Message(b"")
    sdk.extract_message_properties_from_topic(topic, received)
    assert received.message_id == message_id
    assert received.custom_properties == {**custom, "$.cmid": "sender"}


def test_twin_and_method_topics_are_read_by_the_sdk() -> None:
    assert sdk.get_twin_request_id_from_topic(twin_answer_topic(200, HARD)) == HARD
    assert sdk.get_twin_status_code_from_topic(twin_answer_topic(429, "r")) == "429"
    assert sdk.is_twin_desired_property_patch_topic(desired_patch_topic(5))
    assert sdk.get_method_name_from_topic(method_request_topic(HARD, "r")) == HARD
    assert sdk.get_method_request_id_from_topic(method_request_topic("m", HARD)) == HARD
    assert parse_inbound(sdk.get_method_topic_for_publish("r 1", 200)) == MethodAnswer("r 1", 200)
    assert parse_inbound(sdk.get_twin_topic_for_publish("GET", "/", "r 1")) == TwinGet("r 1")
    report = sdk.get_twin_topic_for_publish("PATCH", "/properties/reported/", "r 1")
    assert parse_inbound(report) == TwinReport("r 1")


@pytest.mark.parametrize(
    ("topic_filter", "meaning"),
    [
        (sdk.get_input_topic_for_subscribe("my dev", "mod"), Subscription.INPUTS),
        (sdk.get_method_topic_for_subscribe(), Subscription.METHODS),
        (sdk.get_twin_patch_topic_for_subscribe(), Subscription.DESIRED),
        (sdk.get_twin_response_topic_for_subscribe(), Subscription.TWIN_ANSWERS),
        ("devices/my dev/modules/mod/#", Subscription.INPUTS),
        ("devices/my dev/modules/other/inputs/#", None),
        ("devices/other/modules/mod/inputs/#", None),
        ("#", None),
        ("devices/my dev/modules/mod/inputs/in1", None),
        (sdk.get_c2d_topic_for_subscribe("my dev"), None),
    ],
)
def test_a_modules_filter_means_one_of_four_things_or_nothing(topic_filter: Any, meaning: Subscription | None) -> None:
    assert subscription_of(topic_filter, "my dev", "mod") is meaning


@pytest.mark.parametrize(
    ("topic_filter", "meaning"),
    [
        (sdk.get_c2d_topic_for_subscribe("my dev"), Subscription.DEVICEBOUND),
        ("devices/my dev/messages/devicebound", Subscription.DEVICEBOUND),
        ("devices/other/messages/devicebound/#", None),
        (sdk.get_input_topic_for_subscribe("my dev", "mod"), None),
        (sdk.get_method_topic_for_subscribe(), Subscription.METHODS),
    ],
)
def test_a_devices_filter_means_messages_from_the_cloud(topic_filter: Any, meaning: Subscription | None) -> None:
    assert subscription_of(topic_filter, "my dev", None) is meaning


@given(st.dictionaries(keys, values, max_size=5), values)
def test_what_the_cloud_sends_to_a_device_is_read_by_the_sdk_unchanged(custom: dict[str, str], message_id: str) -> None:
    topic = devicebound_topic("dev", custom, {"messageId": message_id, "to": "/devices/dev/messages/devicebound"})
    assert sdk.is_c2d_topic(topic, "dev")
    received = Message(b"")
    sdk.extract_message_properties_from_topic(topic, received)
    assert (received.message_id, received.custom_properties) == (message_id, custom)
