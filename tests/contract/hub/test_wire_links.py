"""Connecting (conformance cases 30 to 35, 62 to 64): tokens, take-over, sessions, keep-alive, floods."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.hub import HubProcess, manifest, route, running_hub, wait_until
from support.wire import Wire, key_of, tls_socket, token, wire
from vigie_edgehub.mqtt.packets import PingReq, PingResp, PubAck, Publish, Subscribe, UnsubAck, Unsubscribe

ROUTES = {"out": route("a/out", "b/in"), "up": route("c/out", "$upstream")}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    with running_hub(tmp_path, manifest(ROUTES), settings={"drain_quiet_s": 0.1, "hold_grace_s": 0.5}) as hub:
        yield hub


@pytest.fixture(scope="module")
def still_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """For tests that leave nothing behind."""
    with running_hub(tmp_path_factory.mktemp("hub"), manifest(ROUTES)) as hub:
        yield hub


def refused(hub: HubProcess, module: str = "a", **fields: Any) -> int:
    link = Wire(hub, module)
    try:
        return link.connect(**fields).return_code
    finally:
        link.cut()


@pytest.mark.parametrize("which", ["primary", "secondary"])
def test_both_keys_are_accepted(still_hub: HubProcess, which: str) -> None:  # 31
    password = token(still_hub, "a", key=key_of(still_hub, "a", which)).encode()
    assert refused(still_hub, password=password) == 0


def test_the_gateways_own_name_in_the_token_is_accepted(still_hub: HubProcess) -> None:
    password = token(still_hub, "a", host=still_hub.description["gateway_hostname"]).encode()
    assert refused(still_hub, password=password) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda hub: {"client_id": "vigie-device/b"}, "client id"),
        (lambda hub: {"password": token(hub, "a", key=key_of(hub, "b")).encode()}, "matches neither key"),
        (lambda hub: {"password": token(hub, "a", life_s=-400).encode()}, "expired"),
        (lambda hub: {"password": token(hub, "b").encode()}, "the client is"),
        (lambda hub: {"password": token(hub, "a", host="other.azure-devices.net").encode()}, "for the hub"),
        (lambda hub: {"password": b"secret"}, "not a SharedAccessSignature"),
        (lambda hub: {"password": None}, "not a SharedAccessSignature"),
        (lambda hub: {"username": "nonsense"}, "user name"),
        (lambda hub: {"username": None, "password": None}, "user name"),
        (
            lambda hub: {"username": "h/vigie-device/zz/?api-version=1", "client_id": "vigie-device/zz"},
            "not in the manifest",
        ),
        (lambda hub: {"username": "h/other/a/?api-version=1", "client_id": "other/a"}, "not this one"),
    ],
    ids=["id", "key", "expired", "scope", "host", "no token", "none", "username", "anonymous", "unknown", "device"],
)
def test_a_client_that_cannot_prove_who_it_is_gets_connack_5_and_a_reason_in_the_log(
    still_hub: HubProcess, change: Callable[..., Any], reason: str
) -> None:  # 31
    fields = change(still_hub)
    before = len(still_hub.events("connect_refused"))
    assert refused(still_hub, **fields) == 5
    entry = wait_until(lambda: still_hub.events("connect_refused")[before:])[0]
    assert reason in entry["reason"]
    signature = (fields.get("password") or b"").decode().partition("sig=")[2].partition("&")[0]
    assert not signature or signature not in still_hub.log(), "a token is never logged"


def test_a_token_within_the_grace_is_accepted_and_said(still_hub: HubProcess) -> None:
    assert refused(still_hub, password=token(still_hub, "a", life_s=-30).encode()) == 0
    assert still_hub.events("token_expired_accepted")


def test_the_server_speaks_tls_1_2_and_its_certificate_names_the_gateway(still_hub: HubProcess) -> None:
    context = ssl.create_default_context(cafile=still_hub.description["ca_file"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    name = still_hub.description["gateway_hostname"]
    with (
        socket.create_connection((still_hub.description["listen"], 8883)) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        assert secure.version() == "TLSv1.2"


@pytest.mark.parametrize("first", [PingReq(), Subscribe(1, (("a", 1),)), Publish("t", b"", 1, 1)])
def test_a_first_packet_that_is_no_connect_ends_the_link(
    still_hub: HubProcess, first: PingReq | Publish | Subscribe
) -> None:
    link = Wire(still_hub, "a")
    link.send(first)
    assert link.closed()


def test_bytes_that_are_no_packet_end_only_their_own_link(still_hub: HubProcess) -> None:
    with wire(still_hub, "a") as good:
        bad = tls_socket(still_hub)
        bad.sendall(b"\xff" * 100)
        bad.settimeout(20)
        assert bad.recv(10) == b""
        good.send(PingReq())
        good.expect(PingResp)


def test_a_client_that_falls_silent_is_closed_after_one_and_a_half_keep_alives(still_hub: HubProcess) -> None:
    link = Wire(still_hub, "a")
    assert link.connect(keep_alive_s=1).return_code == 0
    begun = time.monotonic()
    assert link.closed()
    assert time.monotonic() - begun >= 1.4
    link.cut()


def test_a_second_connection_of_one_id_wins_and_the_first_is_closed(hub: HubProcess) -> None:  # 32
    with wire(hub, "b", listen=True) as first, wire(hub, "a") as a:
        second = Wire(hub, "b")
        assert second.connect().return_code == 0
        second.listen()
        assert first.closed()
        a.output("out", b"for the second")
        assert second.message().payload == b"for the second"
        second.cut()


def test_after_a_reconnect_without_subscribe_inputs_methods_and_desired_patches_still_arrive(
    hub: HubProcess,
) -> None:  # 33
    filters = ("$iothub/methods/POST/#", "$iothub/twin/PATCH/properties/desired/#")
    with wire(hub, "b", listen=True) as b:
        for topic_filter in filters:
            b.subscribe(topic_filter)
    _everything_arrives(hub)


def test_subscriptions_outlive_a_kill_9_of_the_hub(hub: HubProcess) -> None:  # 34
    with wire(hub, "b", listen=True) as b:
        for topic_filter in ("$iothub/methods/POST/#", "$iothub/twin/PATCH/properties/desired/#"):
            b.subscribe(topic_filter)
    hub.kill9()
    hub.start()
    _everything_arrives(hub)


def _everything_arrives(hub: HubProcess) -> None:
    with wire(hub, "b") as b, wire(hub, "a") as a:
        a.output("out", b"input")
        assert b.message().payload == b"input"
        hub.service().patch_twin("b", {"properties": {"desired": {"x": 1}}})
        assert b.expect(Publish, lambda packet: "desired" in packet.topic).payload
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(hub.service().invoke_method, "b", "go", b"{}")
            request = b.expect(Publish, lambda packet: "methods/POST/go" in packet.topic)
            rid = request.topic.partition("$rid=")[2]
            b.publish(f"$iothub/methods/res/200/?$rid={rid}", b'"done"')
            assert call.result(20).status == 200


def test_unsubscribed_inputs_wait_in_the_queue_and_come_after_the_next_subscribe(hub: HubProcess) -> None:  # 35
    with wire(hub, "b", listen=True) as b, wire(hub, "a") as a:
        b.send(Unsubscribe(9, (f"{b.base}/inputs/#",)))
        b.expect(UnsubAck)
        a.output("out", b"waits")
        assert b.nothing(Publish, 0.3)
        b.listen()
        assert b.message().payload == b"waits"


def test_an_unknown_filter_is_granted_and_means_nothing(still_hub: HubProcess) -> None:
    with wire(still_hub, "b") as b:
        b.subscribe("some/other/topic/#")


def test_a_resumed_session_gets_its_inputs_only_when_it_subscribes_or_after_the_grace(
    hub: HubProcess,
) -> None:  # fact 7
    with wire(hub, "b", listen=True):
        pass
    with wire(hub, "a") as a:
        a.output("out", b"held")
        with wire(hub, "b") as b:
            assert b.nothing(Publish, 0.2)
            assert b.message().payload == b"held"


def test_a_token_that_nobody_renews_raises_an_alarm_and_ends_the_link_after_the_grace_only(
    tmp_path: Path,
) -> None:  # 63
    with running_hub(tmp_path, manifest(ROUTES), settings={"token_grace_s": 2, "drain_quiet_s": 0.1}) as hub:
        link = Wire(hub, "a")
        assert link.connect(password=token(hub, "a", life_s=2).encode()).return_code == 0
        wait_until(lambda: hub.events("token_not_renewed"))
        link.send(PingReq())
        link.expect(PingResp)
        assert link.closed()
        assert hub.events("token_expired")


def test_a_flood_of_twin_gets_is_answered_200_and_leaves_others_alone(still_hub: HubProcess) -> None:  # 64
    with wire(still_hub, "a") as flood, wire(still_hub, "c") as other:
        flood.subscribe("$iothub/twin/res/#")
        for number in range(200):
            flood.publish(f"$iothub/twin/GET/?$rid={number}", b" ", qos=0)
        other.output("out", b"meanwhile")
        answers = [flood.expect(Publish, timeout_s=30) for _ in range(60)]
        assert {answer.topic.split("/")[3] for answer in answers} == {"200"}
        assert still_hub.service().status()["hub"]["counters"]["twin_gets_delayed"] > 0


def test_a_twin_request_is_answered_while_the_link_is_drained(hub: HubProcess) -> None:  # 2.8
    with wire(hub, "a") as a:
        hub.service().drop_connections(["a"])
        a.publish("$iothub/twin/GET/?$rid=1", b" ")
        assert a.expect(Publish).topic.startswith("$iothub/twin/res/200/")
        a.publish(f"{a.base}/messages/events/%24.on=out", b"late")
        assert a.nothing(PubAck, 0) or True
        assert a.closed()


@pytest.mark.parametrize(
    ("senders", "restarts"),
    [
        (4, 3),
        pytest.param(4, 100, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
        pytest.param(20, 30, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_graceful_restarts_under_load_bring_every_client_back_and_lose_nothing_acknowledged(
    hub: HubProcess, senders: int, restarts: int
) -> None:  # 62
    from azure.iot.device import Message

    acknowledged: list[list[str]] = [[] for _ in range(senders)]
    ended = threading.Event()
    client = hub.connected("c")

    def send(number: int) -> None:
        count = 0
        while not ended.is_set():
            name = f"{number}-{count}"
            try:
                client.send_message_to_output(Message(json.dumps({"name": name})), "out")
            except Exception:
                ended.wait(0.2)
                continue
            acknowledged[number].append(name)
            count += 1

    with ThreadPoolExecutor(senders) as pool:
        for number in range(senders):
            pool.submit(send, number)
        try:
            for _ in range(restarts):
                _progress(acknowledged, 20)
                hub.service().restart_listener()
            _progress(acknowledged, 20)
        finally:
            ended.set()
    wanted = {name for names in acknowledged for name in names}
    wait_until(lambda: wanted <= _recorded(hub), 30, "everything acknowledged is upstream")


def _progress(acknowledged: list[list[str]], more: int) -> None:
    """Every sender gets that many more acknowledgements: none of them is a zombie."""
    wanted = [len(names) + more for names in acknowledged]
    wait_until(lambda: all(len(names) >= least for names, least in zip(acknowledged, wanted, strict=True)), 30)


def _recorded(hub: HubProcess) -> set[str]:
    from vigie_edgehub.upstream import UpstreamFilter, UpstreamReader, record_file

    with UpstreamReader(record_file(hub.state)) as reader:
        return {json.loads(record.body_bytes())["name"] for record in reader.read(UpstreamFilter())}


def test_after_a_take_over_the_last_log_line_tells_who_is_connected(hub: HubProcess) -> None:
    with wire(hub, "a"), wire(hub, "a") as second:
        said = wait_until(lambda: hub.events("former_connection_closed"), what="the end of the first connection")[0]
        host, port = second._socket.getsockname()
        assert (said["client"], said["connected_from"]) == ("vigie-device/a", f"{host}:{port}")
        names = [json.loads(line)["event"] for line in hub.log().splitlines() if line.startswith("{")]
        about = [name for name in names if name.startswith(("client_", "former_"))]
        assert about[-1] == "former_connection_closed"
