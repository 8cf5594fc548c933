"""Reported properties as messages: conformance 10 and the twin-change part of 11, against the running hub."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.hub import HubProcess, manifest, running_hub
from support.routing_bench import RoutingBench, routing_bench

SENDER = "$.cmid"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub(tmp_path_factory.mktemp("twin-changes"), manifest(modules=["mod1", "reporter", "probe"])) as hub:
        yield hub


@pytest.fixture(scope="module")
def bench(hub: HubProcess) -> Iterator[RoutingBench]:
    with routing_bench(hub, "mod1", others=("reporter",)) as bench:
        yield bench


def test_a_reported_patch_reaches_the_route_with_the_reporter_as_its_sender(
    hub: HubProcess, bench: RoutingBench
) -> None:  # 10
    bench.route("FROM /twinChangeNotifications INTO BrokeredEndpoint('/modules/mod1/inputs/in1')")
    patch = {"state": "running", "fps": 30, "gone": None}
    hub.connected("reporter").patch_twin_reported_properties(patch)
    received = bench.received()
    (message,) = received.pop("mod1/in1")
    assert received == {}
    assert json.loads(message.body) == patch
    assert message.properties[SENDER] == "reporter"
    assert message.properties["$.cdid"] == hub.description["device_id"]


def test_a_twin_change_that_no_route_asks_for_is_no_dropped_message(hub: HubProcess, bench: RoutingBench) -> None:
    bench.route("FROM /messages/modules/nobody INTO $upstream")
    before = bench.counters()
    hub.connected("reporter").patch_twin_reported_properties({"unrouted": 1})
    after = bench.counters()
    assert after["unrouted_twin_changes"] == before["unrouted_twin_changes"] + 1
    assert after["dropped_no_route"] == before["dropped_no_route"]


def test_a_condition_may_ask_the_body_of_a_twin_change(hub: HubProcess, bench: RoutingBench) -> None:  # 10
    bench.route(
        "FROM /twinChangeNotifications WHERE $body.fps > 20 INTO BrokeredEndpoint('/modules/mod1/inputs/fast')",
        "FROM /twinChangeNotifications WHERE $body.fps < 20 INTO BrokeredEndpoint('/modules/mod1/inputs/slow')",
    )
    hub.connected("reporter").patch_twin_reported_properties({"fps": 25})
    assert set(bench.received()) == {"mod1/fast"}


def test_every_source_that_matches_a_twin_change_delivers_and_no_other(
    hub: HubProcess, bench: RoutingBench
) -> None:  # 11
    matching = ["/*", "/twinChangeNotifications", "/twinChangeNotifications/*", "/TWINCHANGENOTIFICATIONS"]
    others = [
        "/messages",
        "/foo/*",
        "/message",
        "/*/messages/*",
        "/messages/modules",
        "/messages/modules/*",
        "/messages/modules/reporter",
        "/messages/modules/reporter/*",
    ]
    bench.route(
        *(
            f"FROM {source} WHERE $body.case = 'sources' INTO BrokeredEndpoint('/modules/mod1/inputs/s{n}')"
            for n, source in enumerate([*matching, *others])
        )
    )
    hub.connected("reporter").patch_twin_reported_properties({"case": "sources"})
    assert set(bench.received()) == {f"mod1/s{n}" for n in range(len(matching))}
