from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vigie_edgehub.routes.message import RoutedMessage, module_source
from vigie_edgehub.routes.table import (
    DEFAULT_PRIORITY,
    Endpoint,
    ModuleInput,
    Route,
    RouteTable,
    Upstream,
    compile_route,
)

MESSAGE = RoutedMessage(module_source("cam", "frames"), {"kind": "alert"}, {}, b"")


def into(endpoint: str, **options: object) -> Any:
    target = "$upstream" if endpoint == "cloud" else f'BrokeredEndpoint("/modules/{endpoint}/inputs/in")'
    where = f"WHERE {options.pop('where')}" if "where" in options else ""
    return compile_route(f"FROM /messages/* {where} INTO {target}", **options)


def copies(routes: list[Route], message: RoutedMessage) -> list[tuple[Endpoint, int, int]]:
    winners = RouteTable(routes).winners(message)
    return [(endpoint, route.priority, route.ttl_s) for endpoint, route in winners.items()]


def test_an_endpoint_gets_one_copy_with_the_lowest_priority_number_and_that_routes_ttl() -> None:
    routes = [into("a", priority=5, ttl_s=50), into("a", priority=2, ttl_s=20), into("a"), into("b", priority=7)]
    assert copies(routes, MESSAGE) == [(ModuleInput("a", "in"), 2, 20), (ModuleInput("b", "in"), 7, 0)]


def test_a_route_whose_condition_is_false_lends_no_priority() -> None:
    routes = [into("a", priority=0, where="kind = 'calm'"), into("a", priority=9, ttl_s=3, where="kind = 'alert'")]
    assert copies(routes, MESSAGE) == [(ModuleInput("a", "in"), 9, 3)]


def test_of_equal_priorities_the_first_route_counts() -> None:
    assert copies([into("a", ttl_s=1), into("a", ttl_s=2)], MESSAGE) == [(ModuleInput("a", "in"), DEFAULT_PRIORITY, 1)]


def test_inputs_of_one_module_are_different_endpoints() -> None:
    routes = [
        compile_route("FROM /messages/* INTO BrokeredEndpoint('/modules/a/inputs/one')"),
        compile_route("FROM /messages/* INTO BrokeredEndpoint('/modules/a/inputs/two')"),
    ]
    assert [*RouteTable(routes).winners(MESSAGE)] == [ModuleInput("a", "one"), ModuleInput("a", "two")]


def test_a_module_may_get_its_own_message_back() -> None:
    assert copies([into("cam")], MESSAGE)


def test_no_route_no_copy() -> None:
    assert copies([], MESSAGE) == []


def test_opposite_conditions_send_a_message_to_exactly_one() -> None:
    routes = [into("hot", where="as_number(temp) > 50"), into("cold", where="as_number(temp) < 50")]
    for temp, module in ((60, "hot"), (40, "cold")):
        message = RoutedMessage("/messages", {"temp": str(temp)}, {}, b"")
        assert [*RouteTable(routes).winners(message)] == [ModuleInput(module, "in")]


def test_endpoints_of_a_table_are_those_with_a_route() -> None:
    assert RouteTable([into("a"), into("cloud"), into("a")]).endpoints == {ModuleInput("a", "in"), Upstream()}
    assert str(ModuleInput("a", "in")) == "a/in"
    assert str(Upstream()) == "$upstream"


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "cloud"]), st.integers(0, 9), st.sampled_from(["'alert'", "'calm'"])),
        max_size=8,
    )
)
def test_a_table_decides_as_the_plain_function_does(specifications: list[tuple[str, int, str]]) -> None:
    routes = [into(name, priority=priority, where=f"kind = {kind}") for name, priority, kind in specifications]
    table = RouteTable(routes)
    matching = [route for route in routes if route.matches(MESSAGE)]
    expected = {
        endpoint: min((one for one in matching if one.endpoint == endpoint), key=lambda one: one.priority)
        for endpoint in {one.endpoint for one in matching}
    }
    assert table.winners(MESSAGE) == table.winners(MESSAGE) == expected
