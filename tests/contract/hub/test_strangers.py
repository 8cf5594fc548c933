"""What strangers and rogue modules can do to the hub: take no place, no memory, no turn of anybody else."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.hub import HubProcess, manifest, running_hub, wait_until
from support.wire import DEADLINE_S, Wire, tls_socket, wire
from vigie_edgehub.mqtt.codec import encode
from vigie_edgehub.mqtt.packets import PingReq, Publish, SubAck, Subscribe
from vigie_edgehub.service.credentials import ConnectionString


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub(tmp_path_factory.mktemp("hub"), manifest()) as hub:
        yield hub


def plain_socket(hub: HubProcess) -> socket.socket:
    return socket.create_connection((hub.description["listen"], hub.description["mqtt_port"]), DEADLINE_S)


def is_closed(link: socket.socket) -> bool:
    """The hub ended it; waits."""
    link.settimeout(DEADLINE_S)
    try:
        return link.recv(1) == b""
    except ConnectionError:
        return True


def test_silent_connections_lock_no_module_out_and_their_number_is_bounded(hub: HubProcess) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(plain_socket(hub)) for _ in range(234)]
        with wire(hub, "a") as link:
            link.telemetry()
        assert all(is_closed(one) for one in silent[: 234 - 64])
    assert wait_until(lambda: hub.events("silent_connection_closed"))


def test_who_is_silent_after_the_handshake_is_counted_too(hub: HubProcess) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(tls_socket(hub)) for _ in range(70)]
        with wire(hub, "a") as link:
            link.telemetry()
        assert all(is_closed(one) for one in silent[:6])


def test_a_connection_without_a_connect_ends_by_itself(tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest(), settings={"connect_within_s": 0.2}) as hub, tls_socket(hub) as silent:
        assert is_closed(silent)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encode(PingReq()) * 1000, "the first packet is not CONNECT"),
        (b"\x30\xff\xff\x7f", "the first packet is not CONNECT"),
        (b"\x10\xff\x7f" + bytes(100), "CONNECT of more than 8192 bytes"),
        (b"\x10\xff\xff\xff\x7f", "CONNECT of more than 8192 bytes"),
    ],
    ids=["pings", "a publish of 2 MB", "16 KB of CONNECT", "256 MB of CONNECT"],
)
def test_the_first_packet_is_a_connect_of_a_sane_size(hub: HubProcess, data: Any, reason: str) -> None:
    before = len(hub.events("packet_malformed"))
    with tls_socket(hub) as stranger:
        stranger.sendall(data)
        assert is_closed(stranger)
    assert reason in wait_until(lambda: hub.events("packet_malformed")[before:])[0]["reason"]


def test_only_subscriptions_that_mean_something_are_kept_and_64_of_them(hub: HubProcess) -> None:
    with wire(hub, "c") as link:
        for start in range(0, 6000, 500):
            filters = tuple((f"rubbish/{start + n}/#", 1) for n in range(500))
            link.send(Subscribe(link.next_id(), filters))
            link.expect(SubAck)
        link.send(Subscribe(link.next_id(), tuple((f"{link.base}/inputs/{n}/#", 1) for n in range(500))))
        link.expect(SubAck)
        link.listen()
    sessions = json.loads((hub.state / "sessions.json").read_text())
    stored = next(one for one in sessions if one["client_id"].endswith("/c"))["filters"]
    assert len(stored) == 64
    assert all(name.startswith("devices/") for name in stored)


def test_a_header_that_is_not_ascii_is_401_and_so_is_a_token_for_something_else(hub: HubProcess) -> None:
    made = ConnectionString.parse(hub.connection_string)
    narrow = ConnectionString(f"{made.host}/devices/other", made.policy, made.key)
    for header in (b"SharedAccessSignature sr=a&sig=\xff&se=9999999999&skn=iothubowner", narrow.token(9_999_999_999)):
        assert request(hub, "GET", "/devices", header)[0] == 401
    assert request(hub, "GET", "/devices", made.token(9_999_999_999))[0] == 200


@pytest.mark.parametrize("module", ["..", ".", "%2E%2E", "../../x", "a b", "a" * 129, "a;b"])
def test_an_id_that_would_leave_its_folder_or_topic_makes_no_module(hub: HubProcess, module: str) -> None:
    text = module.replace("%2E", ".")
    made = ConnectionString.parse(hub.connection_string)
    path = f"/devices/{hub.description['device_id']}/modules/{''.join(f'%{byte:02X}' for byte in text.encode())}"
    status, body = request(hub, "PUT", path, made.token(9_999_999_999), {})
    assert (status, "is not a module id" in body) == (400, True), body


def test_a_report_that_reads_as_infinity_is_answered_and_poisons_nothing(hub: HubProcess) -> None:
    with wire(hub, "a") as link:
        link.subscribe("$iothub/twin/res/#")
        reports = [(b'{"x": 1e400}', 400), (b'{"y": {"z": [-1e999]}}', 400), (b'{"x": 1}', 204)]
        for number, (body, status) in enumerate(reports):
            link.publish(f"$iothub/twin/PATCH/properties/reported/?$rid={number}", body)
            answer = link.expect(Publish, lambda packet: packet.topic.startswith("$iothub/twin/res/"))
            assert answer.topic.startswith(f"$iothub/twin/res/{status}/?$rid={number}"), answer.topic
        link.publish("$iothub/twin/GET/?$rid=9")
        answer = link.expect(Publish, lambda packet: packet.topic.startswith("$iothub/twin/res/200/"))
        assert json.loads(answer.payload)["reported"]["x"] == 1


@pytest.mark.parametrize("key", ["", "c2hvcnQ=", "not base64!", "A" * 200])
def test_a_key_that_cannot_sign_is_refused(hub: HubProcess, key: str) -> None:
    made = ConnectionString.parse(hub.connection_string)
    wanted = {"authentication": {"type": "sas", "symmetricKey": {"primaryKey": key, "secondaryKey": None}}}
    path = f"/devices/{hub.description['device_id']}/modules/new"
    status, body = request(hub, "PUT", path, made.token(9_999_999_999), wanted)
    assert (status, "primaryKey is not a key" in body) == (400, True), body


def request(
    hub: HubProcess, method: str, path: str, authorization: str | bytes, body: object = None
) -> tuple[int, str]:
    host, _, port = hub.description["service_url"].removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=hub.description["ca_file"])
    connection = http.client.HTTPSConnection(host, int(port), timeout=DEADLINE_S, context=context)
    try:
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        connection.request(method, f"{path}?api-version=2021-04-12", content, headers)  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_module_connects_while_another_opens_and_closes_all_the_time(hub: HubProcess) -> None:
    for _ in range(100):
        with plain_socket(hub):
            pass
    link = Wire(hub, "a")
    assert link.connect().return_code == 0
    link.cut()
