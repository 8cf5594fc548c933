from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie_edgehub.errors import HubConfigRefusedError, RouteRefusedError
from vigie_edgehub.routes.config import parse_edgehub_desired
from vigie_edgehub.routes.table import DEFAULT_PRIORITY

ROUTE = "FROM /messages/* INTO $upstream"


def desired(version: object = "1.1", **members: object) -> dict[str, object]:
    return {
        "schemaVersion": version,
        "routes": {"r": ROUTE},
        "storeAndForwardConfiguration": {"timeToLiveSecs": 7200},
        **members,
    }


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.1.0", "1.2", "1.3", "1.3.5.7", 1.1])
def test_a_schema_version_of_the_first_generation_is_taken(version: float | str) -> None:
    assert parse_edgehub_desired(desired(version)).routes[0].text == ROUTE


@pytest.mark.parametrize(
    "version", ["0.1", "2.0", "1.4", "1", "", "one", "1.", ".1", "1.1.1.1.1", None, 1, 1.0, True, []]
)
def test_another_schema_version_is_refused(version: Any) -> None:
    with pytest.raises(HubConfigRefusedError) as refusal:
        parse_edgehub_desired(desired(version))
    assert refusal.value.path == "$.schemaVersion"


def test_an_absent_schema_version_is_refused() -> None:
    with pytest.raises(HubConfigRefusedError, match="schemaVersion"):
        parse_edgehub_desired({"routes": {}, "storeAndForwardConfiguration": {"timeToLiveSecs": 1}})


def test_a_route_object_has_priority_and_ttl_and_defaults_without() -> None:
    config = parse_edgehub_desired(
        desired(
            routes={
                "all": {"route": ROUTE, "priority": 3, "timeToLiveSecs": 60},
                "none": {"route": ROUTE},
                "string": ROUTE,
                "explicit": {"route": ROUTE, "priority": DEFAULT_PRIORITY},
            }
        )
    )
    assert [(route.name, route.priority, route.ttl_s) for route in config.routes] == [
        ("all", 3, 60),
        ("none", DEFAULT_PRIORITY, 0),
        ("string", DEFAULT_PRIORITY, 0),
        ("explicit", DEFAULT_PRIORITY, 0),
    ]
    assert config.ttl_s == 7200
    assert config.max_store_bytes is None


def test_no_routes_at_all_are_fine() -> None:
    assert parse_edgehub_desired(desired(routes={})).routes == ()


def test_members_of_a_twin_and_unknown_ones_are_ignored() -> None:
    twin = desired(**{"$version": 4, "$metadata": {}, "mqttBroker": {}, "integrity": {}})
    assert parse_edgehub_desired(twin).schema_version == "1.1"


@pytest.mark.parametrize(
    ("member", "value", "path"),
    [
        ("routes", None, "$.routes"),
        ("routes", [], "$.routes"),
        ("routes", {"r": None}, "$.routes.r"),
        ("routes", {"r": 5}, "$.routes.r"),
        ("routes", {"r": ["x"]}, "$.routes.r"),
        ("routes", {"r": "  "}, "$.routes.r"),
        ("routes", {" ": ROUTE}, "$.routes"),
        ("routes", {"r": {}}, "$.routes.r.route"),
        ("routes", {"r": {"route": ""}}, "$.routes.r.route"),
        ("routes", {"r": {"route": ROUTE, "priority": 10}}, "$.routes.r.priority"),
        ("routes", {"r": {"route": ROUTE, "priority": -1}}, "$.routes.r.priority"),
        ("routes", {"r": {"route": ROUTE, "priority": "high"}}, "$.routes.r.priority"),
        ("routes", {"r": {"route": ROUTE, "priority": True}}, "$.routes.r.priority"),
        ("routes", {"r": {"route": ROUTE, "timeToLiveSecs": -1}}, "$.routes.r.timeToLiveSecs"),
        ("routes", {"r": {"route": ROUTE, "timeToLiveSecs": 2**32}}, "$.routes.r.timeToLiveSecs"),
        ("routes", {"r": "FROM nowhere"}, "$.routes.r"),
        ("storeAndForwardConfiguration", None, "$.storeAndForwardConfiguration"),
        ("storeAndForwardConfiguration", 7200, "$.storeAndForwardConfiguration"),
        ("storeAndForwardConfiguration", {"timeToLiveSecs": "1h"}, "$.storeAndForwardConfiguration.timeToLiveSecs"),
        ("storeAndForwardConfiguration", {"storeLimits": 5}, "$.storeAndForwardConfiguration.storeLimits.maxSizeBytes"),
    ],
)
def test_a_malformed_member_is_refused_with_its_path(member: str, value: Any, path: str) -> None:
    with pytest.raises(HubConfigRefusedError) as refusal:
        parse_edgehub_desired(desired(**{member: value}))
    assert refusal.value.path == path


def test_the_refusal_of_a_route_names_route_and_column() -> None:
    with pytest.raises(HubConfigRefusedError, match=r"\$\.routes\.alarm: column 6: expected a source") as refusal:
        parse_edgehub_desired(desired(routes={"fine": ROUTE, "alarm": "FROM INTO $upstream"}))
    assert isinstance(refusal.value.__cause__, RouteRefusedError)


def test_the_first_schema_skips_blank_routes_and_needs_no_section() -> None:
    config = parse_edgehub_desired({"schemaVersion": "1.0", "routes": {"a": "", "b": None, "c": "  ", "d": ROUTE}})
    assert [route.name for route in config.routes] == ["d"]
    assert config.ttl_s == 7200
    assert parse_edgehub_desired({"schemaVersion": "1.0"}).routes == ()


def test_the_first_schema_has_no_route_objects() -> None:
    with pytest.raises(HubConfigRefusedError, match=r"schemaVersion 1\.1"):
        parse_edgehub_desired({"schemaVersion": "1.0", "routes": {"a": {"route": ROUTE}}})


def test_store_limits_and_an_endless_ttl_are_read() -> None:
    config = parse_edgehub_desired(
        desired(storeAndForwardConfiguration={"timeToLiveSecs": -1, "storeLimits": {"maxSizeBytes": 1_000_000}})
    )
    assert (config.ttl_s, config.max_store_bytes) == (-1, 1_000_000)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just(ROUTE) | st.just("1.1"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["schemaVersion", "routes", "storeAndForwardConfiguration", "x"]), anything))
def test_any_desired_properties_are_a_configuration_or_a_refusal(properties: dict[str, Any]) -> None:
    with contextlib.suppress(HubConfigRefusedError):
        parse_edgehub_desired(properties)
