"""Leaf devices with the hub as their gateway: registered by azure-iot-hub, on the unmodified device SDK."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from azure.iot.device import IoTHubDeviceClient, Message, MethodResponse
from azure.iot.device.exceptions import ClientError

from support.hub import Inbox, manifest, shut_down, wait_until
from support.service_side import DEADLINE_S, OperatedHub
from vigie.errors import HubAnswerError
from vigie_edgehub.service.client import ServiceClient
from vigie_edgehub.service.credentials import ConnectionString

ROUTES = {
    "telemetry": 'FROM /messages INTO BrokeredEndpoint("/modules/a/inputs/all")',
    "devices": "FROM /messages/* WHERE NOT is_defined($connectionModuleId) AND kind = 'alarm' INTO $upstream",
    "changes": 'FROM /twinChangeNotifications INTO BrokeredEndpoint("/modules/a/inputs/changes")',
}
KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatedHub]:
    hub = OperatedHub(tmp_path_factory.mktemp("leaf"), manifest(ROUTES, modules=["a", "b"]))
    try:
        yield hub.start()
    finally:
        hub.close()


@pytest.fixture
def registry(hub: OperatedHub, monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("azure.iot.hub", reason="azure-iot-hub 2.7.0 has no wheel for this machine")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", hub.description["ca_file"])
    return hub.registry()


def waiting(hub: OperatedHub, name: str) -> int:
    """Messages from the cloud that the device has not acknowledged, as its identity says."""
    (count,) = [one["cloudToDeviceMessageCount"] for one in hub.service().devices() if one["deviceId"] == name]
    return count


def edge(hub: OperatedHub) -> dict[str, Any]:
    return hub.service().devices()[0]


def registered(hub: OperatedHub, name: str) -> str:
    """``name`` as a child of the edge device; its connection string through the gateway."""
    key = hub.service().add_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    shown = hub.description
    return (
        f"HostName={shown['iothub_hostname']};DeviceId={name};SharedAccessKey={key};"
        f"GatewayHostName={shown['gateway_hostname']}"
    )


def unconnected(hub: OperatedHub, connection_string: str, **options: Any) -> IoTHubDeviceClient:
    trust = Path(hub.description["ca_file"]).read_text(encoding="utf-8")
    options = {"connection_retry_interval": 1, **options}
    return IoTHubDeviceClient.create_from_connection_string(
        connection_string, server_verification_cert=trust, **options
    )


@contextmanager
def device(hub: OperatedHub, connection_string: str, prepare: Any = None, **options: Any) -> Iterator[Any]:
    client = unconnected(hub, connection_string, **options)
    try:
        if prepare is not None:
            prepare(client)
        client.connect()
        yield client
    finally:
        shut_down(client)


@pytest.mark.parametrize("form", ["through the gateway", "at the gateway itself", "over WebSockets"])
def test_a_devices_messages_take_the_routes_with_its_id_and_without_a_module(hub: OperatedHub, form: str) -> None:
    name = f"sender-{form.rsplit(maxsplit=1)[-1]}"
    text = registered(hub, name)
    if form == "at the gateway itself":
        text = (
            f"HostName={hub.description['gateway_hostname']};DeviceId={name};SharedAccessKey="
            + text.split("SharedAccessKey=")[1].split(";")[0]
        )
    inbox = Inbox()
    before = len(list(hub.service().upstream()))
    with hub.sdk("a", inbox), device(hub, text, websockets=form == "over WebSockets") as client:
        message = Message('{"on": true}', content_type="application/json", content_encoding="utf-8")
        message.custom_properties["kind"] = "alarm"
        client.send_message(message)
        got = inbox.wait_for(1)[0]
    assert (got.input_name, got.data, got.content_type) == ("all", b'{"on": true}', "application/json")
    assert got.custom_properties["$.cdid"] == name
    assert "$.cmid" not in got.custom_properties
    wait_until(lambda: len(list(hub.service().upstream())) > before, what="the message at $upstream")
    record = list(hub.service().upstream())[-1]
    assert (record.module, json.loads(bytes(record.body))) == ("", {"on": True})
    system = record.system_properties
    assert system["iothub-connection-device-id"] == name
    assert json.loads(system["iothub-connection-auth-method"])["scope"] == "device"
    assert "iothub-connection-module-id" not in system


def test_a_device_has_a_twin_methods_and_twin_change_notifications_of_its_own(hub: OperatedHub, registry: Any) -> None:
    def prepare(client: Any) -> None:
        client.on_method_request_received = lambda request: client.send_method_response(
            MethodResponse.create_from_method_request(request, 202, {"got": request.payload})
        )
        client.on_twin_desired_properties_patch_received = lambda patch: client.patch_twin_reported_properties(
            {"rate": patch["rate"]}
        )

    inbox = Inbox()
    with hub.sdk("a", inbox), device(hub, registered(hub, "twin-1"), prepare) as client:
        client.get_twin()
        twin = registry.get_twin("twin-1")
        twin.properties.desired = {"rate": 7}
        twin.tags = {"site": "dock"}
        registry.update_twin("twin-1", twin, twin.etag)
        wait_until(lambda: registry.get_twin("twin-1").properties.reported.get("rate") == 7, what="the report")
        change = wait_until(lambda: [one for one in inbox.messages if one.input_name == "changes"], what="the change")[
            0
        ]
        assert change.custom_properties["$.cdid"] == "twin-1"
        reply = hub.service().invoke_method("/twin-1", "open", b'{"n": 1}')
        assert (reply.status, json.loads(bytes(reply.payload))) == (202, {"got": {"n": 1}})
        found = hub.service().query("SELECT deviceId FROM devices WHERE tags.site = 'dock'")
        assert [one["deviceId"] for one in found] == ["twin-1"]
        # A module calls the device's method through the gateway.
        with hub.sdk("b") as module:
            answer = module.invoke_method({"methodName": "open", "payload": 5}, "twin-1")
        assert answer["status"] == 202


def test_a_method_of_a_device_that_is_away_is_404(hub: OperatedHub) -> None:
    registered(hub, "away-1")
    with pytest.raises(HubAnswerError, match="device 'away-1' is not connected") as caught:
        hub.service().invoke_method("/away-1", "open")
    assert caught.value.error_code == 404103


def test_messages_from_the_cloud_wait_for_the_device_and_arrive_in_order_once_also_over_a_restart(
    hub: OperatedHub,
) -> None:
    text = registered(hub, "valve-1")
    inbox = Inbox()
    with device(hub, text, lambda client: setattr(client, "on_message_received", inbox)):
        hub.service().send_to_device("valve-1", b"now", {"iothub-app-k": "a b/ä".encode().decode("latin-1")})
        inbox.wait_for(1)
    for number in range(3):
        hub.service().send_to_device("valve-1", f"{number}".encode(), {"iothub-messageid": f"m{number}"})
    assert waiting(hub, "valve-1") == 3
    hub.restart()
    with device(hub, text, lambda client: setattr(client, "on_message_received", inbox)):
        got = inbox.wait_for(4)
    assert [one.data for one in got] == [b"now", b"0", b"1", b"2"]
    assert [one.message_id for one in got[1:]] == ["m0", "m1", "m2"]
    wait_until(lambda: waiting(hub, "valve-1") == 0, what="all acknowledged")


def test_a_message_from_the_cloud_expires_is_purged_and_is_bounded_as_in_iot_hub(hub: OperatedHub) -> None:
    registered(hub, "valve-2")
    send = hub.service().send_to_device
    with pytest.raises(HubAnswerError, match="iothub-expiry"):
        send("valve-2", b"x", {"iothub-expiry": "tomorrow"})
    send("valve-2", b"old", {"iothub-expiry": "2020-01-01T00:00:00Z"})
    for _ in range(49):
        send("valve-2", b"x", {})
    with pytest.raises(HubAnswerError, match="50 messages wait for device 'valve-2'") as full:
        send("valve-2", b"x", {})
    assert (full.value.status, full.value.error_code) == (403, 403004)
    status, _, body = asked(hub, "DELETE", "/devices/valve-2/commands")
    assert (status, json.loads(body)["totalMessagesPurged"]) == (200, 50)
    send("valve-2", b"old", {"iothub-expiry": "2020-01-01T00:00:00Z"})
    send("valve-2", b"new", {})
    inbox = Inbox()
    text = registered(hub, "valve-2")
    with device(hub, text, lambda client: setattr(client, "on_message_received", inbox)):
        assert [one.data for one in inbox.wait_for(1)] == [b"new"]


def asked(
    hub: OperatedHub, verb: str, path: str, body: bytes | None = None, headers: dict | None = None
) -> tuple[int, dict[str, str], bytes]:
    token = ConnectionString.parse(hub.connection_string).token(int(time.time()) + 60)
    return hub.raw(verb, f"{path}?api-version=2021-04-12", body, {"Authorization": token, **(headers or {})})


def test_the_service_wide_endpoint_takes_messages_by_their_to_header(hub: OperatedHub) -> None:
    registered(hub, "valve-3")
    to = {"iothub-to": "/devices/valve-3/messages/deviceBound"}
    assert asked(hub, "POST", "/messages/deviceBound", b"x", to)[0] == 204
    assert asked(hub, "POST", "/messages/deviceBound", b"x", {"iothub-to": "valve-3"})[0] == 400
    assert (
        asked(hub, "POST", "/messages/deviceBound", b"x", {"iothub-to": "/devices/no/messages/devicebound"})[0] == 404
    )
    assert asked(hub, "POST", "/messages/deviceBound", b"x", {**to, "iothub-ack": "full"})[0] == 501
    edge_id = hub.description["device_id"]
    assert asked(hub, "POST", f"/devices/{edge_id}/messages/devicebound", b"x")[0] == 400
    assert waiting(hub, "valve-3") == 1


def test_what_a_device_sends_while_the_hub_is_down_comes_when_it_is_back(hub: OperatedHub) -> None:
    text = registered(hub, "buffer-1")
    inbox = Inbox()
    with device(hub, text) as client:
        client.send_message("first")
        hub.kill9()
        hub.start()
        wait_until(lambda: client.connected, DEADLINE_S, "the device back")
        client.send_message("second")
    with hub.sdk("a", inbox):
        got = wait_until(lambda: sorted({one.data for one in inbox.messages if one.data in (b"first", b"second")}))
        wait_until(lambda: {b"first", b"second"} <= {one.data for one in inbox.messages}, what="both messages")
    assert got


def test_the_registry_of_azure_iot_hub_creates_changes_lists_and_deletes_devices(
    hub: OperatedHub, registry: Any
) -> None:
    scope = registry.get_device(hub.description["device_id"]).device_scope
    assert scope.startswith("ms-azure-iot-edge://")
    made = registry.create_device_with_sas("made-1", None, None, "enabled", device_scope=scope)
    assert made.parent_scopes == [scope]
    assert len(made.authentication.symmetric_key.primary_key) == 44
    with pytest.raises(Exception, match="Conflict"):
        registry.create_device_with_sas("made-1", None, None, "enabled")
    changed = registry.update_device_with_sas(
        "made-1", made.etag, KEY, KEY, "disabled", status_reason="in repair", device_scope=scope
    )
    assert (changed.status, changed.status_reason, changed.authentication.symmetric_key.primary_key) == (
        "disabled",
        "in repair",
        KEY,
    )
    assert "made-1" in [one.device_id for one in registry.get_devices()]
    assert registry.get_device_registry_statistics().disabled_device_count == 1
    registry.delete_device("made-1")
    with pytest.raises(Exception, match="Not Found"):
        registry.get_device("made-1")


@pytest.mark.parametrize(
    ("why", "change", "reason"),
    [
        ("unregistered", None, "is not registered; './vigie hub device refused-1'"),
        ("an orphan", {"deviceScope": None}, "has no parent: on a device edgeHub lets its own children in only"),
        ("disabled", {"status": "disabled"}, "is disabled"),
        ("of another key", {"authentication": {"symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}}},
         "signature matches neither key"),
    ],
)  # fmt: skip
def test_a_device_that_edge_hub_would_not_let_in_is_refused_and_the_log_says_why(
    hub: OperatedHub, why: str, change: dict[str, Any] | None, reason: str
) -> None:
    text = registered(hub, "refused-1")
    if change is None:
        assert asked(hub, "DELETE", "/devices/refused-1")[0] == 204
    else:
        body = json.dumps({"deviceId": "refused-1", "deviceScope": edge(hub)["deviceScope"], **change}).encode()
        assert asked(hub, "PUT", "/devices/refused-1", body, {"If-Match": "*"})[0] == 200
    seen = len(hub.events("connect_refused"))
    client = unconnected(hub, text, connection_retry=False)
    with pytest.raises(ClientError):
        client.connect()
    shut_down(client)
    assert reason in hub.events("connect_refused")[seen]["reason"]


def test_disabling_or_deleting_a_device_ends_its_connection(hub: OperatedHub) -> None:
    text = registered(hub, "ended-1")
    with device(hub, text, connection_retry=False) as client:
        assert asked(hub, "DELETE", "/devices/ended-1", headers={"If-Match": "*"})[0] == 204
        wait_until(lambda: not client.connected, what="the device disconnected")
    assert "ended-1" not in str(hub.service().twin("$edgeHub")["properties"]["reported"]["clients"])


@pytest.mark.parametrize(
    ("name", "body", "status", "says"),
    [
        ("x", {"capabilities": {"iotEdge": True}}, 501, "other edge devices are not emulated"),
        ("x", {"authentication": {"type": "selfSigned"}}, 400, "'selfSigned' is not emulated"),
        ("x", {"deviceScope": "ms-azure-iot-edge://other-1"}, 400, "is unknown; the edge device's scope is"),
        (
            "x",
            {"authentication": {"symmetricKey": {"primaryKey": "AAAA"}}},
            400,
            "a key of device 'x' is not base64 of 16",
        ),
        ("a b", {}, 400, "is not valid; 1 to 128 ASCII letters"),
        ("x" * 129, {}, 400, "is not valid"),
    ],
    ids=["edge", "x509", "other parent", "short key", "blank in id", "long id"],
)
def test_what_this_hub_cannot_be_parent_of_is_refused(
    hub: OperatedHub, name: str, body: dict[str, Any], status: int, says: str
) -> None:
    answered, _, told = asked(hub, "PUT", f"/devices/{quote(name)}", json.dumps({"deviceId": name, **body}).encode())
    assert (answered, says in told.decode().replace("\\", "")) == (status, True), told


def test_odd_device_ids_keep_their_twins_over_a_restart(hub: OperatedHub) -> None:
    for name in ("#" * 128, "a=b;c$d'e", ".device"):
        registered(hub, name)
        hub.service().patch_twin(f"/{name}", {"properties": {"desired": {"n": len(name)}}})
    hub.restart()
    for name in ("#" * 128, "a=b;c$d'e", ".device"):
        assert ServiceClient.open(hub.state).twin(f"/{name}")["properties"]["desired"]["n"] == len(name)
