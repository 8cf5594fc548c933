"""Port 443 of the hub: MQTT over WebSockets, the service for clients that take no port, and AMQP told apart."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from support.hub import HubProcess, Inbox, manifest, running_hub, wait_until
from vigie_edgehub.service.credentials import ConnectionString


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    routes = {"a": "FROM /messages/modules/a/outputs/o INTO BrokeredEndpoint('/modules/b/inputs/in')"}
    with running_hub(tmp_path_factory.mktemp("gateway"), manifest(routes, modules=["a", "b"])) as hub:
        if hub.description["https_port"] != 443:
            pytest.skip("port 443 may not be bound by this user")
        yield hub


def ask(hub: HubProcess, verb: str, path: str, body: object = None) -> tuple[int, object]:
    credentials = ConnectionString.parse(hub.connection_string)
    tls = ssl.create_default_context(cafile=hub.description["ca_file"])
    connection = http.client.HTTPSConnection(credentials.host, 443, timeout=20, context=tls)
    try:
        token = credentials.token(int(time.time()) + 600)
        connection.request(verb, path, None if body is None else json.dumps(body), {"Authorization": token})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    finally:
        connection.close()


def test_messages_twins_and_methods_pass_over_websockets(hub: HubProcess) -> None:
    inbox = Inbox()
    with hub.sdk("b", inbox, websockets=True) as receiver, hub.sdk("a", websockets=True) as sender:
        sender.send_message_to_output("one", "o")
        assert inbox.wait_for(1)[0].data == b"one"
        receiver.patch_twin_reported_properties({"over": "websockets"})
        assert receiver.get_twin()["reported"]["over"] == "websockets"


def test_a_large_message_passes_over_websockets_whole(hub: HubProcess) -> None:
    inbox = Inbox()
    body = bytes(range(256)) * 900
    with hub.sdk("b", inbox, websockets=True), hub.sdk("a", websockets=True) as sender:
        from azure.iot.device import Message

        sender.send_message_to_output(Message(body), "o")
        assert inbox.wait_for(1)[0].data == body


def test_a_client_over_websockets_comes_back_after_its_connection_was_dropped(hub: HubProcess) -> None:
    inbox = Inbox()
    with hub.sdk("b", inbox, websockets=True), hub.sdk("a") as sender:
        hub.service().drop_connections(["b"], abrupt=True)
        wait_until(lambda: hub.service().module("b")["connectionState"] == "Connected")
        sender.send_message_to_output("after", "o")
        assert inbox.wait_for(1)[0].data == b"after"


def test_the_connection_string_is_a_bare_host_that_serves_the_whole_service(hub: HubProcess) -> None:
    credentials = ConnectionString.parse(hub.connection_string)
    assert ":" not in credentials.host
    status, modules = ask(hub, "GET", f"/devices/{hub.description['device_id']}/modules?api-version=2021-04-12")
    assert status == 200
    assert {"a", "b"} <= {module["moduleId"] for module in modules}


def test_a_trailing_slash_is_optional(hub: HubProcess) -> None:
    status, devices = ask(hub, "GET", "/devices/?api-version=2021-04-12")
    assert (status, [device["deviceId"] for device in devices]) == (200, [hub.description["device_id"]])


def test_edge_devices_are_found_by_their_capability_and_top_bounds_the_answer(hub: HubProcess) -> None:
    query = {"query": "SELECT * FROM devices WHERE capabilities.iotEdge = true"}
    status, found = ask(hub, "POST", "/devices/query", query)
    assert (status, len(found)) == (200, 1)
    status, found = ask(hub, "POST", "/devices/query", {"query": "SELECT TOP 1 moduleId FROM devices.modules"})
    assert (status, len(found)) == (200, 1)


def test_the_manager_of_a_module_is_kept(hub: HubProcess) -> None:
    path = f"/devices/{hub.description['device_id']}/modules/own?api-version=2021-04-12"
    assert ask(hub, "PUT", path, {"managedBy": "me"})[0] == 201
    assert ask(hub, "GET", path)[1]["managedBy"] == "me"


@pytest.mark.parametrize("port", [443, 5671])
def test_a_client_that_speaks_amqp_is_told_what_to_set(hub: HubProcess, port: int) -> None:
    before = len(hub.events("amqp_not_served"))
    tls = ssl.create_default_context(cafile=hub.description["ca_file"])
    host = hub.description["listen"]
    with (
        socket.create_connection((host, port), timeout=20) as plain,
        tls.wrap_socket(plain, server_hostname=host) as link,
    ):
        link.sendall(b"AMQP\x03\x01\x00\x00")
        assert link.recv(1) == b""
    events = wait_until(lambda: hub.events("amqp_not_served")[before:])
    assert events[0]["port"] == port
    assert "ClientTransportType=Mqtt_Tcp_Only" in events[0]["remedy"]


def test_the_service_keeps_its_port_over_a_restart(hub: HubProcess) -> None:
    before = hub.description["service_url"]
    hub.restart()
    assert hub.description["service_url"] == before
