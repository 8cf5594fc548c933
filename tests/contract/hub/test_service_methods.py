"""Direct methods from the service side and between modules (conformance 52 to 59)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from azure.iot.device import MethodResponse
from azure.iot.device.exceptions import ClientError

from support.service_side import OperatedHub, manifest, served_hub
from vigie.errors import HubAnswerError

EDGE_HTTPS = 443


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatedHub]:
    with served_hub(tmp_path_factory.mktemp("methods"), manifest("A", "B", "quiet", "late")) as hub:
        yield hub


def answering(status: int = 200) -> Callable[[Any], None]:
    """Handlers that answer with what they were asked."""

    def prepare(client: Any) -> None:
        def answer(request: Any) -> None:
            reply = MethodResponse.create_from_method_request(
                request, status, {"name": request.name, "payload": request.payload}
            )
            client.send_method_response(reply)

        client.on_method_request_received = answer

    return prepare


@pytest.fixture(scope="module")
def module_a(hub: OperatedHub) -> Iterator[Any]:
    with hub.module("A", prepare=answering()) as client:
        yield client


@pytest.mark.parametrize("status", [200, 400, 503])
def test_the_modules_own_status_comes_back_inside_a_200(hub: OperatedHub, status: int) -> None:
    with hub.module("B", prepare=answering(status)):
        reply = hub.service().invoke_method("B", "get_status", b'{"n": 1}')
    assert reply.status == status
    assert json.loads(bytes(reply.payload)) == {"name": "get_status", "payload": {"n": 1}}


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (b"", None),
        (b"null", None),
        (b"{}", {}),
        (b'""', ""),
        (b"0", 0),
        (b'{"n": 1.50, "big": 12345678901234567890, "t": "\xc3\xa4\xe6\x97\xa5"}',
         {"n": 1.5, "big": 12345678901234567890, "t": "ä日"}),
        (b"[1, [2, [null]]]", [1, [2, [None]]]),
    ],
    ids=["none", "null", "empty object", "empty string", "zero", "numbers and unicode", "arrays"],
)  # fmt: skip
def test_payloads_pass_both_ways_as_they_are(hub: OperatedHub, module_a: Any, sent: bytes, seen: Any) -> None:
    reply = hub.service().invoke_method("A", "echo", sent)
    assert json.loads(bytes(reply.payload))["payload"] == seen


def test_a_method_name_with_odd_characters_arrives_as_it_was_called(hub: OperatedHub, module_a: Any) -> None:
    reply = hub.service().invoke_method("A", "get status/ä?", b"{}")
    assert json.loads(bytes(reply.payload))["name"] == "get status/ä?"


def test_a_module_that_is_not_connected_is_404_at_once(hub: OperatedHub) -> None:
    with pytest.raises(HubAnswerError) as refused:
        hub.service().invoke_method("late", "echo")
    assert (refused.value.status, refused.value.error_code) == (404, 404103)


def test_a_connected_module_without_a_method_handler_is_404(hub: OperatedHub) -> None:
    with hub.module("quiet"), pytest.raises(HubAnswerError) as refused:
        hub.service().invoke_method("quiet", "echo")
    assert refused.value.status == 404


def test_a_module_that_connects_within_the_connect_timeout_gets_the_call(hub: OperatedHub) -> None:
    replies = []

    def call() -> None:
        replies.append(hub.service().invoke_method("late", "echo", b"7", connect_timeout_s=60))

    caller = threading.Thread(target=call)
    caller.start()
    with hub.module("late", prepare=answering()):
        caller.join(60)
    assert [json.loads(bytes(reply.payload))["payload"] for reply in replies] == [7]


def test_a_handler_set_after_the_connection_gets_the_waiting_call(hub: OperatedHub) -> None:
    replies = []

    def call() -> None:
        replies.append(hub.service().invoke_method("late", "echo", b"8", connect_timeout_s=60))

    with hub.module("late") as client:
        caller = threading.Thread(target=call)
        caller.start()
        answering()(client)
        caller.join(60)
    assert [json.loads(bytes(reply.payload))["payload"] for reply in replies] == [8]


def test_no_answer_within_the_response_timeout_is_504(hub: OperatedHub) -> None:
    def listen(client: Any) -> None:
        client.on_method_request_received = lambda _: None

    with hub.module("quiet", prepare=listen), pytest.raises(HubAnswerError) as refused:
        hub.service().invoke_method("quiet", "echo", response_timeout_s=5)
    assert (refused.value.status, refused.value.error_code) == (504, 504101)


def test_an_answer_to_nothing_that_was_asked_is_ignored(hub: OperatedHub, module_a: Any) -> None:
    module_a.send_method_response(MethodResponse("no-such-request", 200, {}))
    assert hub.service().invoke_method("A", "echo", b"1").status == 200


@pytest.mark.parametrize(
    "call",
    [
        {"methodName": ""},
        {"methodName": None},
        {},
        {"methodName": "m" * 102},
        {"methodName": "m", "responseTimeoutInSeconds": 3},
        {"methodName": "m", "responseTimeoutInSeconds": 302},
        {"methodName": "m", "connectTimeoutInSeconds": -1},
        {"methodName": "m", "connectTimeoutInSeconds": 302},
        {"methodName": "m", "connectTimeoutInSeconds": "soon"},
        {"methodName": "m", "payload": "x" * 131_072},
    ],
    ids=["empty", "null", "absent", "long", "short wait", "long wait", "negative", "long connect", "text", "payload"],
)
def test_a_call_outside_the_limits_is_400(hub: OperatedHub, module_a: Any, call: dict[str, Any]) -> None:
    with pytest.raises(HubAnswerError) as refused:
        hub.service()._call("POST", hub.service()._twin_path("A") + "/methods", call)
    assert refused.value.status == 400


def test_calls_at_the_limits_are_taken(hub: OperatedHub, module_a: Any) -> None:
    assert hub.service().invoke_method("A", "m" * 100, response_timeout_s=300, connect_timeout_s=300).status == 200
    assert hub.service().invoke_method("A", "big", json.dumps("x" * 131_070).encode()).status == 200


def test_many_calls_at_once_each_get_their_own_answer(hub: OperatedHub, module_a: Any) -> None:
    replies = {}

    def call(n: int) -> None:
        replies[n] = json.loads(bytes(hub.service().invoke_method("A", "echo", b"%d" % n).payload))["payload"]

    callers = [threading.Thread(target=call, args=(n,)) for n in range(12)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert replies == {n: n for n in range(12)}


def test_a_module_calls_a_module_through_the_sdk(hub: OperatedHub, module_a: Any) -> None:
    need_edge_https(hub)
    device = hub.description["device_id"]
    with hub.module("B") as caller:
        call = {"methodName": "echo", "payload": {"from": "B"}, "responseTimeoutInSeconds": 10}
        reply = caller.invoke_method(call, device, "A")
        assert reply == {"status": 200, "payload": {"name": "echo", "payload": {"from": "B"}}}
        with pytest.raises(ClientError):
            caller.invoke_method({"methodName": "echo", "connectTimeoutInSeconds": 0}, device, "late")


@pytest.mark.parametrize(
    ("actor", "status"),
    [(None, 400), ("", 400), ("{device}", 400), ("elsewhere/B", 401), ("{device}/B", 200)],
    ids=["absent", "empty", "device only", "another device", "right"],
)
def test_the_calling_module_must_name_itself(hub: OperatedHub, module_a: Any, actor: str | None, status: int) -> None:
    need_edge_https(hub)
    device = hub.description["device_id"]
    headers = {"Authorization": module_token(hub, "B"), "Content-Type": "application/json"}
    if actor is not None:
        headers["x-ms-edge-moduleId"] = actor.format(device=device)
    path = f"/twins/{device}/modules/A/methods?api-version=2019-10-01"
    got, _, body = hub.raw("POST", path, b'{"methodName": "echo"}', headers, port=EDGE_HTTPS)
    assert got == status, body


def module_token(hub: OperatedHub, module: str) -> str:
    """A token as the SDK signs it, from the key that the registry shows."""
    resource = quote(
        f"{hub.description['iothub_hostname']}/devices/{hub.description['device_id']}/modules/{module}", safe=""
    )
    key = hub.service().module(module)["authentication"]["symmetricKey"]["primaryKey"]
    expiry = int(time.time()) + 600
    digest = hmac.new(base64.b64decode(key), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    return f"SharedAccessSignature sr={resource}&sig={quote(base64.b64encode(digest), safe='')}&se={expiry}"


def need_edge_https(hub: OperatedHub) -> None:
    try:
        hub.raw("GET", "/", port=EDGE_HTTPS)
    except OSError as error:
        pytest.skip(f"port 443 of {hub.description['listen']} is not the hub's (needs privilege): {error}")
