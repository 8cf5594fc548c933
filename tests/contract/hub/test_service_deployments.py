"""Automatic deployments: a base and layers by target condition, operated by azure-iot-hub and by raw REST."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.service_side import OperatedHub, manifest, served_hub
from vigie_edgehub.service.credentials import ConnectionString

OWN = "FROM /messages/modules/A INTO $upstream"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatedHub]:
    content = manifest("A", desired={"A": {"level": "own"}}, routes={"own": OWN})
    with served_hub(tmp_path_factory.mktemp("deployments"), content) as hub:
        yield hub


@pytest.fixture(autouse=True)
def clean(hub: OperatedHub) -> Iterator[None]:
    yield
    for one in rest(hub, "GET", "/configurations?top=100")[1]:
        rest(hub, "DELETE", f"/configurations/{one['id']}")
    hub.service().patch_twin(None, {"tags": {"site": None}})


def rest(hub: OperatedHub, verb: str, path: str, body: object = None, **headers: str) -> tuple[int, object]:
    token = ConnectionString.parse(hub.connection_string).token(int(time.time()) + 60)
    status, _, answer = hub.raw(
        verb, path, body=None if body is None else json.dumps(body), headers={"Authorization": token, **headers}
    )
    return status, json.loads(answer or b"null")


def put(
    hub: OperatedHub, name: str, content: object, *, condition: str = "*", priority: int = 10
) -> tuple[int, object]:
    body = {"id": name, "content": {"modulesContent": content}, "targetCondition": condition, "priority": priority}
    return rest(hub, "PUT", f"/configurations/{name}", body)


def layer(**modules: object) -> dict:
    added = {f"properties.desired.modules.{name}": {"type": "docker"} for name in modules}
    return {"$edgeAgent": added} | modules


def desired(hub: OperatedHub, module: str) -> dict:
    return {k: v for k, v in hub.service().twin(module)["properties"]["desired"].items() if k[0] != "$"}


def modules(hub: OperatedHub) -> set[str]:
    return {one["moduleId"] for one in hub.service().modules() if one["moduleId"][0] != "$"}


def test_a_layer_adds_a_module_and_a_property_and_its_removal_takes_them_away(hub: OperatedHub) -> None:
    content = layer(B={"properties.desired": {"x": 1}}) | {"A": {"properties.desired.extra": True}}
    assert put(hub, "one", content)[0] == 201
    assert modules(hub) == {"A", "B"}
    assert (desired(hub, "A"), desired(hub, "B")) == ({"level": "own", "extra": True}, {"x": 1})
    assert hub.service().twin("$edgeAgent")["configurations"] == {"one": {"status": "Applied"}}
    assert rest(hub, "DELETE", "/configurations/one")[0] == 204
    assert modules(hub) == {"A"}
    assert desired(hub, "A") == {"level": "own"}


def test_the_target_condition_follows_the_tags_of_the_device(hub: OperatedHub) -> None:
    put(hub, "dock", layer(B={"properties.desired": {}}), condition="tags.site='dock'")
    assert modules(hub) == {"A"}
    hub.service().patch_twin(None, {"tags": {"site": "dock"}})
    assert modules(hub) == {"A", "B"}
    assert rest(hub, "GET", "/configurations/dock")[1]["systemMetrics"]["results"] == {
        "targetedCount": 1,
        "appliedCount": 1,
    }
    hub.service().patch_twin(None, {"tags": {"site": "gate"}})
    assert modules(hub) == {"A"}


def test_of_two_layers_the_higher_priority_wins_and_the_newer_of_equals(hub: OperatedHub) -> None:
    for name, priority in (("low", 1), ("high", 9), ("middle", 5), ("same", 9)):
        put(hub, name, {"A": {"properties.desired.winner": name}}, priority=priority)
    assert desired(hub, "A")["winner"] == "same"


def test_a_base_deployment_replaces_the_devices_manifest_and_lower_layers_do_not_count(hub: OperatedHub) -> None:
    base = manifest("C", desired={"C": {"from": "base"}})["modulesContent"]
    put(hub, "base", base, priority=5)
    put(hub, "below", layer(B={"properties.desired": {}}), priority=4)
    put(hub, "above", {"C": {"properties.desired.more": 1}}, priority=6)
    assert modules(hub) == {"C"}
    assert desired(hub, "C") == {"from": "base", "more": 1}
    assert hub.service().twin("$edgeAgent")["configurations"]["below"] == {"status": "Targeted"}


def test_a_route_added_by_a_layer_is_in_force_beside_the_others(hub: OperatedHub) -> None:
    put(
        hub,
        "routes",
        {"$edgeHub": {"properties.desired.routes.second": "FROM /messages/modules/A/outputs/o INTO $upstream"}},
    )
    assert set(desired(hub, "$edgeHub")["routes"]) == {"own", "second"}


@pytest.mark.parametrize(
    ("content", "condition", "text"),
    [
        pytest.param({"$edgeHub": {"properties.desired.routes.bad": "FROM"}}, "*", "bad", id="route"),
        pytest.param({"A": 7}, "*", "modulesContent.A", id="section"),
        pytest.param({"A": {"properties.desired.x": 1}}, "tags.site = ", "column", id="condition"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_and_nothing_changes(
    hub: OperatedHub, content: dict[str, Any], condition: str, text: str
) -> None:
    before = (modules(hub), desired(hub, "A"), desired(hub, "$edgeHub"))
    status, answer = put(hub, "wrong", content, condition=condition)
    assert status == 400
    assert text in answer["Message"]
    assert rest(hub, "GET", "/configurations/wrong")[0] == 404
    assert (modules(hub), desired(hub, "A"), desired(hub, "$edgeHub")) == before


def test_the_content_of_a_configuration_cannot_change_but_its_condition_can(hub: OperatedHub) -> None:
    put(hub, "kept", {"A": {"properties.desired.x": 1}})
    assert put(hub, "kept", {"A": {"properties.desired.x": 2}})[0] == 400
    assert put(hub, "kept", {"A": {"properties.desired.x": 1}}, condition="")[0] == 200
    assert "x" not in desired(hub, "A")


def test_queries_are_tested_without_creating_anything(hub: OperatedHub) -> None:
    asked = {
        "targetCondition": "tags.x == 1",
        "customMetricQueries": {"good": "SELECT deviceId FROM devices", "bad": "SELECT"},
    }
    answer = rest(hub, "POST", "/configurations/testQueries", asked)[1]
    assert "column" in answer["targetConditionError"]
    assert set(answer["customMetricQueryErrors"]) == {"bad"}


def test_configurations_outlive_a_restart_of_the_hub(hub: OperatedHub) -> None:
    put(hub, "kept", layer(B={"properties.desired": {}}))
    hub.restart()
    assert modules(hub) == {"A", "B"}


def test_azure_iot_hub_creates_lists_and_deletes_configurations(
    hub: OperatedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pytest.importorskip(
        "azure.iot.hub.protocol.models", reason="azure-iot-hub 2.7.0 has no wheel for this machine"
    )
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", hub.description["ca_file"])
    manager = hub.configurations()
    wanted = models.Configuration(
        id="by-sdk",
        content=models.ConfigurationContent(modules_content={"A": {"properties.desired.sdk": 1}}),
        target_condition=f"deviceId='{hub.description['device_id']}'",
        priority=3,
    )
    manager.create_configuration(wanted)
    assert desired(hub, "A")["sdk"] == 1
    assert [one.id for one in manager.get_configurations()] == ["by-sdk"]
    manager.delete_configuration("by-sdk")
    assert "sdk" not in desired(hub, "A")
