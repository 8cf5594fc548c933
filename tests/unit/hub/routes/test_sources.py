from __future__ import annotations

import pytest

from vigie_edgehub.routes.message import TELEMETRY_SOURCE, TWIN_CHANGE_SOURCE, RoutedMessage, module_source
from vigie_edgehub.routes.table import RouteTable, compile_route


def reaches(source: str, path: str) -> bool:
    route = compile_route(f"FROM {source} INTO $upstream")
    message = RoutedMessage(path, {}, {}, b"")
    found = route.matches(message)
    assert found == bool(RouteTable([route]).winners(message))
    return found


@pytest.mark.parametrize(
    "source",
    [
        "/*",
        "/messages",
        "/messages/*",
        "/messages/modules",
        "/messages/modules/*",
        "/messages/modules/ModId1",
        "/messages/modules/ModId1/*",
        "/messages/modules/ModId1/outputs",
        "/messages/modules/ModId1/outputs/*",
        "/messages/modules/ModId1/outputs/Op1",
        "/MESSAGES/Modules/modid1/OUTPUTS/op1",
    ],
)
def test_a_message_of_an_output_is_matched_by_its_prefixes(source: str) -> None:
    assert reaches(source, module_source("ModId1", "Op1"))


@pytest.mark.parametrize(
    "source",
    [
        "/foo",
        "/*/bar/*",
        "/modulemessages",
        "/messages/events",
        "/messages/modules/events",
        "/messages/modules/ModId2",
        "/messages/modules/ModId2/*",
        "/messages/modules/ModId1/outputs/Op2",
        "/messages/modules/ModId1/outputs/Op",
        "/messages/modules/ModId",
        "/messages/modules/*/outputs/Op1",
        "/messages/modules/ModId*",
        "/twinChangeNotifications",
    ],
)
def test_a_message_of_an_output_is_not_matched_by_anything_else(source: str) -> None:
    assert not reaches(source, module_source("ModId1", "Op1"))


@pytest.mark.parametrize("source", ["/*", "/messages", "/messages/*"])
def test_telemetry_of_a_device_is_matched(source: str) -> None:
    assert reaches(source, TELEMETRY_SOURCE)


@pytest.mark.parametrize(
    "source",
    [
        "/twinChangeNotifications",
        "/foo/*",
        "/message",
        "/*/messages/*",
        "/messages/event",
        "/messages/modules",
        "/messages/modules/*",
        "/messages/modules/ModId1",
        "/messages/modules/ModId1/*",
    ],
)
def test_telemetry_of_a_device_is_not_matched(source: str) -> None:
    assert not reaches(source, TELEMETRY_SOURCE)


@pytest.mark.parametrize("source", ["/*", "/twinChangeNotifications", "/twinChangeNotifications/*"])
def test_a_twin_change_is_matched(source: str) -> None:
    assert reaches(source, TWIN_CHANGE_SOURCE)


@pytest.mark.parametrize(
    "source",
    [
        "/messages",
        "/foo/*",
        "/message",
        "/*/messages/*",
        "/messages/modules",
        "/messages/modules/*",
        "/messages/modules/ModId1",
        "/messages/modules/ModId1/*",
    ],
)
def test_a_twin_change_is_not_matched(source: str) -> None:
    assert not reaches(source, TWIN_CHANGE_SOURCE)


def test_a_message_without_output_is_matched_by_its_module_and_not_by_its_outputs() -> None:
    assert reaches("/messages/modules/asa", module_source("asa"))
    assert reaches("/messages/modules/asa/*", module_source("asa"))
    assert not reaches("/messages/modules/asa/outputs/*", module_source("asa"))
    assert not reaches("/messages/modules/asa/outputs/output1", module_source("asa"))


def test_a_table_forgets_sources_rather_than_growing_without_bound() -> None:
    table = RouteTable([compile_route("FROM /messages/* INTO $upstream")])
    for output in range(5_000):
        assert table.winners(RoutedMessage(module_source("m", f"o{output}"), {}, {}, b""))
    assert len(table._by_source) <= 1_024
