"""Twins and methods byte by byte: a module over plain MQTT, an operator over REST (conformance 46, 50, 53, 56)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from queue import Empty
from typing import Any
from urllib.parse import unquote

import pytest

from support.raw_mqtt import RawClient, raw_client
from support.service_side import DEADLINE_S, OperatedHub, manifest, served_hub, wait_until
from vigie.errors import HubAnswerError


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatedHub]:
    with served_hub(tmp_path_factory.mktemp("wire"), manifest("A", "B", desired={"B": {"x": 1}})) as hub:
        yield hub


@pytest.fixture
def module(hub: OperatedHub) -> Iterator[RawClient]:
    with raw_client(hub, "A", listen=False) as client:
        client.subscribe("$iothub/twin/res/#")
        client.subscribe("$iothub/methods/POST/#")
        yield client


def reported(hub: OperatedHub, module: str = "A") -> dict[str, Any]:
    return hub.service().twin(module)["properties"]["reported"]


def test_a_reported_patch_is_answered_204_with_its_request_id_and_no_body(hub: OperatedHub, module: RawClient) -> None:
    module.publish("$iothub/twin/PATCH/properties/reported/?$rid=41", b'{"a": 1}')
    answer = module.other.get(timeout=DEADLINE_S)
    assert (answer.topic, answer.payload) == ("$iothub/twin/res/204/?$rid=41", b"")
    assert reported(hub)["a"] == 1


def test_a_reported_patch_without_a_request_id_is_applied_in_silence(hub: OperatedHub, module: RawClient) -> None:
    module.publish("$iothub/twin/PATCH/properties/reported/", b'{"silent": true}')
    wait_until(lambda: reported(hub).get("silent") is True)
    module.publish("$iothub/twin/GET/?$rid=next", b" ")
    assert module.other.get(timeout=DEADLINE_S).topic == "$iothub/twin/res/200/?$rid=next"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff\xfe", b'{"a": NaN}', b'{"n": 4503599627370496}'])
def test_a_reported_patch_that_is_none_is_answered_400(hub: OperatedHub, module: RawClient, body: bytes) -> None:
    before = reported(hub)
    module.publish("$iothub/twin/PATCH/properties/reported/?$rid=bad", body)
    assert module.other.get(timeout=DEADLINE_S).topic == "$iothub/twin/res/400/?$rid=bad"
    assert reported(hub) == before


def test_the_twin_on_the_wire_has_versions_and_neither_tags_nor_metadata(hub: OperatedHub, module: RawClient) -> None:
    hub.service().patch_twin("A", {"tags": {"secret": 1}, "properties": {"desired": {"y": 2}}})
    module.publish("$iothub/twin/GET/?$rid=1", b" ")
    twin = json.loads(module.other.get(timeout=DEADLINE_S).payload)
    assert twin["desired"]["y"] == 2
    assert set(twin) == {"desired", "reported"}
    assert "$metadata" not in twin["desired"]
    assert twin["desired"]["$version"] >= 1


def test_a_module_that_did_not_ask_for_patches_gets_none(hub: OperatedHub) -> None:
    with raw_client(hub, "B", listen=False) as quiet:
        quiet.subscribe("$iothub/twin/res/#")
        hub.service().patch_twin("B", {"properties": {"desired": {"x": 2}}})
        quiet.publish("$iothub/twin/GET/?$rid=after", b" ")
        first = quiet.other.get(timeout=DEADLINE_S)
        assert first.topic == "$iothub/twin/res/200/?$rid=after"
        with pytest.raises(Empty):
            quiet.other.get(timeout=0.3)


def test_a_desired_patch_on_the_wire_is_the_change_its_nulls_and_its_version(hub: OperatedHub) -> None:
    with raw_client(hub, "B", listen=False) as client:
        client.subscribe("$iothub/twin/PATCH/properties/desired/#")
        after = hub.service().patch_twin("B", {"properties": {"desired": {"x": None, "z": {"n": 1.5}}}})
        version = after["properties"]["desired"]["$version"]
        pushed = client.other.get(timeout=DEADLINE_S)
        assert pushed.topic == f"$iothub/twin/PATCH/properties/desired/?$version={version}"
        assert json.loads(pushed.payload) == {"x": None, "z": {"n": 1.5}, "$version": version}


def call(hub: OperatedHub, name: str, payload: Any) -> Callable[[], Any]:
    """Begin a call; returns a function that waits for its outcome."""
    outcome = []

    def work() -> None:
        try:
            outcome.append(hub.service().invoke_method("A", name, payload, response_timeout_s=5))
        except HubAnswerError as error:
            outcome.append(error)

    caller = threading.Thread(target=work)
    caller.start()

    def result() -> Any:
        caller.join(DEADLINE_S)
        return outcome[0]

    return result


def request_of(module: RawClient) -> tuple[Any, ...]:
    asked = module.other.get(timeout=DEADLINE_S)
    path, _, request_id = asked.topic.partition("/?$rid=")
    return unquote(path.removeprefix("$iothub/methods/POST/")), request_id, asked.payload


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b'{"n": 1.50,  "e": 1e3}', b'{"n": 2.500, "t": "\\u00e4"}'),
        (b'"\xc3\xa4"', b'"\xe6\x97\xa5"'),
        (b"12345678901234567890123", b"0.10000000000000000001"),
    ],
    ids=["object", "text", "long numbers"],
)
def test_method_payloads_pass_byte_for_byte(hub: OperatedHub, module: RawClient, sent: bytes, answered: bytes) -> None:
    result = call(hub, "get status/%", sent)
    name, request_id, payload = request_of(module)
    assert (name, payload) == ("get status/%", sent)
    module.publish(f"$iothub/methods/res/202/?$rid={request_id}", answered)
    reply = result()
    assert (reply.status, bytes(reply.payload)) == (202, answered)


def test_an_answer_to_another_request_is_ignored_and_the_call_ends_with_504(
    hub: OperatedHub, module: RawClient
) -> None:
    result = call(hub, "echo", b"1")
    _, request_id, _ = request_of(module)
    module.publish("$iothub/methods/res/200/?$rid=0000", b"{}")
    refused = result()
    assert (refused.status, refused.error_code) == (504, 504101)
    module.publish(f"$iothub/methods/res/200/?$rid={request_id}", b"{}")  # late: dropped, and the link lives on
    result = call(hub, "echo", b"2")
    _, request_id, _ = request_of(module)
    module.publish(f"$iothub/methods/res/200/?$rid={request_id}", b"")
    assert (result().status, bytes(result().payload)) == (200, b"null")


def test_an_answer_that_is_no_json_is_502_and_says_whose_it_is(hub: OperatedHub, module: RawClient) -> None:
    result = call(hub, "echo", b"1")
    _, request_id, _ = request_of(module)
    module.publish(f"$iothub/methods/res/200/?$rid={request_id}", b"{not json")
    refused = result()
    assert (refused.status, str(refused)) == (502, "module 'A' answered method 'echo' with what is not valid JSON")
