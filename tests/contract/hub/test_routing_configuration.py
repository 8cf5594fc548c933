"""Routes as configuration: conformance 12, 14 to 17, 21 and 22, against the running hub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.hub import HubProcess, manifest, running_hub
from support.raw_mqtt import raw_client
from support.routing_bench import RoutingBench, routing_bench
from vigie.errors import HubAnswerError

MODULES = ["a", "b", "probe", "sender", "receiver"]
TO_A = "INTO BrokeredEndpoint('/modules/a/inputs/in')"
TO_B = "INTO BrokeredEndpoint('/modules/b/inputs/in')"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub(tmp_path_factory.mktemp("configuration"), manifest(modules=MODULES)) as hub:
        yield hub


@pytest.fixture(scope="module")
def bench(hub: HubProcess) -> Iterator[RoutingBench]:
    with routing_bench(hub, "a", "b") as bench:
        yield bench


def content(**members: object) -> dict:
    """A manifest whose ``$edgeHub`` has these desired properties instead of the usual ones; None leaves one out."""
    whole = manifest(modules=MODULES)
    desired = whole["modulesContent"]["$edgeHub"]["properties.desired"]
    desired.update(members)
    for name in [name for name, value in desired.items() if value is None]:
        del desired[name]
    return whole


def test_two_routes_to_one_endpoint_deliver_once_and_another_endpoint_gets_its_own(bench: RoutingBench) -> None:  # 12
    bench.route(
        {"route": f"FROM /messages/modules/a/outputs/* {TO_B}", "priority": 7},
        {"route": f"FROM /messages/modules/a/* {TO_B}", "priority": 1, "timeToLiveSecs": 60},
        f"FROM /messages/modules/a/outputs/o {TO_A}",
    )
    bench.send("a", "o", b"once")
    received = bench.received()
    assert {endpoint: len(messages) for endpoint, messages in received.items()} == {"b/in": 1, "a/in": 1}


def test_of_two_routes_to_one_endpoint_the_better_priority_orders_the_queue(hub: HubProcess) -> None:  # 12
    # Modules that nobody else is connected as: the bench's clients would come back and take the messages.
    to_receiver = "INTO BrokeredEndpoint('/modules/receiver/inputs/in')"
    routes = {
        "low": {"route": f"FROM /messages/modules/sender/* {to_receiver}", "priority": 9},
        "high": {"route": f"FROM /messages/modules/sender/outputs/urgent {to_receiver}", "priority": 0},
    }
    hub.service().apply_configuration(manifest(routes, modules=MODULES))
    with raw_client(hub, "sender") as sender:
        for n in range(3):
            sender.send(f"usual {n}".encode(), output="usual")
        for n in range(3):
            sender.send(f"urgent {n}".encode(), output="urgent")
    with raw_client(hub, "receiver") as receiver:
        got = [receiver.next().body for _ in range(6)]
    assert got == [b"urgent 0", b"urgent 1", b"urgent 2", b"usual 0", b"usual 1", b"usual 2"]


def test_another_set_of_routes_is_in_force_at_once_and_a_removed_route_stops(bench: RoutingBench) -> None:  # 14
    bench.route(f"FROM /messages/modules/a/outputs/o {TO_A}", f"FROM /messages/modules/b/outputs/o {TO_A}")
    bench.send("a", "o", b"1")
    assert set(bench.received()) == {"a/in"}
    bench.route(f"FROM /messages/modules/a/outputs/o {TO_B}")
    bench.send("a", "o", b"2")
    bench.send("b", "o", b"nobody")
    received = bench.received()
    assert [message.body for message in received.pop("b/in")] == [b"2"]
    assert received == {}


ADDRESS = '"/modules/a/inputs/in"'
BAD_ROUTES = {
    "misspelled FROM": f"FORM /messages/modules/a INTO BrokeredEndpoint({ADDRESS})",
    "SELECT without star": f"SELECT FROM /messages/modules/a INTO BrokeredEndpoint({ADDRESS})",
    "no source": f"FROM INTO BrokeredEndpoint({ADDRESS})",
    "double then single quote": "FROM /* INTO BrokeredEndpoint(\"/modules/a/inputs/in')",
    "single then double quote": "FROM /* INTO BrokeredEndpoint('/modules/a/inputs/in\")",
    "doubled double quotes": 'FROM /* INTO BrokeredEndpoint(""/modules/a/inputs/in"")',
    "doubled single quotes": "FROM /* INTO BrokeredEndpoint(''/modules/a/inputs/in'')",
    "single around double": "FROM /* INTO BrokeredEndpoint('\"/modules/a/inputs/in'\")",
    "double around single": "FROM /* INTO BrokeredEndpoint(\"'/modules/a/inputs/in\"')",
    "double equals": f"FROM /messages WHERE temp == 100 INTO BrokeredEndpoint({ADDRESS})",
    "empty WHERE": f"FROM /messages WHERE INTO BrokeredEndpoint({ADDRESS})",
    "nothing behind INTO": "FROM /messages WHERE temp = 'high' INTO",
    "no closing parenthesis": f"FROM /messages INTO BrokeredEndpoint({ADDRESS}",
    "no closing quote": 'FROM /messages INTO BrokeredEndpoint("/modules/a/inputs/in)',
    "no opening parenthesis": f"FROM /messages INTO BrokeredEndpoint {ADDRESS})",
    "no opening quote": 'FROM /messages INTO BrokeredEndpoint(/modules/a/inputs/in")',
    "quoted address alone": f"FROM /messages INTO {ADDRESS}",
    "address alone": "FROM /messages INTO /modules/a/inputs/in",
    "upstream without dollar": "FROM /messages INTO upstream",
    "address of two parts": "FROM /messages INTO BrokeredEndpoint('/modules/a')",
    "address that is no path": "FROM /messages INTO BrokeredEndpoint('a, in')",
    "address with three slashes": "FROM /messages INTO BrokeredEndpoint('/modules///a/inputs/in')",
    "address with a double slash": "FROM /messages INTO BrokeredEndpoint('//modules/a/inputs/in')",
    "address with two slashes at its end": "FROM /messages INTO BrokeredEndpoint('/modules/a/inputs/in//')",
}


def test_a_bad_route_refuses_the_whole_configuration_and_the_old_routes_go_on(
    bench: RoutingBench,
) -> None:  # 15 and the bad ones of 17
    bench.route(f"FROM /messages/modules/a/outputs/o {TO_B}")
    assert bench.reported_status() == {"code": 200, "description": ""}
    for name, bad in BAD_ROUTES.items():
        routes = {"fine": f"FROM /messages/modules/a/outputs/o {TO_A}", "bad": bad}
        with pytest.raises(HubAnswerError, match=r"\$\.routes\.bad: column \d+") as refusal:
            bench.service.apply_configuration(manifest(routes, modules=MODULES))
        assert refusal.value.status == 400, name
        status = bench.reported_status()
        assert status["code"] == 400, name
        assert "$.routes.bad" in status["description"], name
    bench.send("a", "o", b"as before")
    assert {endpoint: [one.body for one in got] for endpoint, got in bench.received().items()} == {
        "b/in": [b"as before"]
    }


def test_a_sound_configuration_after_a_bad_one_is_reported_as_such(bench: RoutingBench) -> None:  # 15
    with pytest.raises(HubAnswerError):
        bench.service.apply_configuration(manifest({"bad": "FROM"}, modules=MODULES))
    bench.route(f"FROM /messages/modules/a/outputs/o {TO_B}")
    assert bench.reported_status() == {"code": 200, "description": ""}


@pytest.mark.parametrize(
    "route",
    [
        f"SELECT * FROM /messages/modules/a/outputs/o {TO_B}",
        "select * from /messages/modules/a/outputs/o into brokeredendpoint('/modules/b/inputs/in')",
        'FROM /messages/modules/a/outputs/o INTO BrokeredEndpoint("/modules/b/inputs/in")',
        "\n  FROM\n\t/messages/modules/a/outputs/o  \r\n INTO   BrokeredEndpoint( '/modules/b/inputs/in' )\n",
        f"FROM /messages/modules/a/outputs/o WHERE kind = 'x' {TO_B}",
        f'FROM /messages/modules/a/outputs/o where KIND = "x" AnD (true) {TO_B}',
        "FROM /messages/modules/a/outputs/o INTO BrokeredEndpoint('/modules/b/inputs/in/')",
        "FROM /messages/modules/a/outputs/o INTO BrokeredEndpoint('modules/b/inputs/in')",
        f"FROM /messages/modules/a/outputs/o /* from the camera */ {TO_B}",
    ],
)
def test_every_form_of_a_route_that_the_grammar_has_delivers(
    bench: RoutingBench, route: str
) -> None:  # 16 and the good ones of 17
    bench.route(route)
    bench.send("a", "o", b"x", kind="x")
    assert set(bench.received()) == {"b/in"}


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.1.0", "1.2", "1.3"])
def test_a_known_schema_version_is_taken(bench: RoutingBench, version: str) -> None:  # 21
    bench.service.apply_configuration(content(schemaVersion=version))
    assert bench.reported_status()["code"] == 200


@pytest.mark.parametrize("version", ["0.1", "2.0", "1"])
def test_an_unknown_schema_version_is_refused(bench: RoutingBench, version: str) -> None:  # 21
    with pytest.raises(HubAnswerError, match="schemaVersion"):
        bench.service.apply_configuration(content(schemaVersion=version))


def test_an_absent_schema_version_is_refused(bench: RoutingBench) -> None:  # 21
    with pytest.raises(HubAnswerError, match="schemaVersion"):
        bench.service.apply_configuration(content(schemaVersion=None))


def test_a_route_object_without_priority_and_ttl_delivers_and_no_routes_are_fine(bench: RoutingBench) -> None:  # 22
    bench.route({"route": f"FROM /messages/modules/a/outputs/o {TO_B}"})
    bench.send("a", "o", b"x")
    assert set(bench.received()) == {"b/in"}
    bench.service.apply_configuration(content(routes={}))
    assert bench.reported_status()["code"] == 200


@pytest.mark.parametrize(
    "members",
    [
        {"routes": {"r": 5}},
        {"routes": {"r": {"route": ""}}},
        {"routes": {"r": {"route": "FROM /* INTO $upstream", "priority": 10}}},
        {"routes": {"r": {"route": "FROM /* INTO $upstream", "timeToLiveSecs": -1}}},
        {"routes": {" ": "FROM /* INTO $upstream"}},
        {"routes": {"r": "  "}},
        {"routes": None},
        {"storeAndForwardConfiguration": None},
    ],
    ids=str,
)
def test_a_malformed_section_is_refused(bench: RoutingBench, members: dict[str, Any]) -> None:  # 22
    with pytest.raises(HubAnswerError):
        bench.service.apply_configuration(content(**members))
    assert bench.reported_status()["code"] == 400
