"""A manifest applied to a running hub, and a chain that its twins steer (conformance 60 and 61)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest
from azure.iot.device import Message

from support.service_side import DEADLINE_S, OperatedHub, manifest, served_hub, wait_until
from vigie.errors import HubAnswerError

CHAIN = {
    "sensorToFilter": 'FROM /messages/modules/sensor INTO BrokeredEndpoint("/modules/filter/inputs/in")',
    "filterToCloud": "FROM /messages/modules/filter/outputs/hot INTO $upstream",
}


def json_message(value: Any) -> Message:
    message = Message(json.dumps(value))
    message.content_type, message.content_encoding = "application/json", "utf-8"
    return message


def bodies(hub: OperatedHub) -> list[Any]:
    return [json.loads(bytes(record.body)) for record in hub.service().upstream()]


def test_a_filters_threshold_follows_its_twin_and_what_passes_reaches_upstream(tmp_path: Path) -> None:
    with served_hub(tmp_path, manifest("sensor", "filter", routes=CHAIN, desired={"filter": {"threshold": 25}})) as hub:
        threshold: Queue = Queue()
        in_force = [25]

        def prepare(client: Any) -> None:
            def passes(message: Message) -> None:
                if json.loads(message.data)["temperature"] > in_force[0]:
                    client.send_message_to_output(json_message(json.loads(message.data)), "hot")

            def changed(patch: dict[str, Any]) -> None:
                in_force[0] = patch["threshold"]
                threshold.put(patch["$version"])

            client.on_message_received = passes
            client.on_twin_desired_properties_patch_received = changed

        with hub.module("filter", prepare=prepare), hub.module("sensor") as sensor:
            for temperature in (20, 30):
                sensor.send_message_to_output(json_message({"temperature": temperature}), "temperature")
            wait_until(lambda: bodies(hub) == [{"temperature": 30}])
            hub.service().patch_twin("filter", {"properties": {"desired": {"threshold": 35}}})
            threshold.get(timeout=DEADLINE_S)
            for temperature in (31, 40):
                sensor.send_message_to_output(json_message({"temperature": temperature}), "temperature")
            wait_until(lambda: bodies(hub) == [{"temperature": 30}, {"temperature": 40}])
        record = next(hub.service().upstream())
        assert (record.module, record.output) == ("filter", "hot")
        assert record.system_properties["iothub-connection-module-id"] == "filter"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[OperatedHub]:
    with served_hub(tmp_path, manifest("A", "B", desired={"A": {"x": 1}})) as hub:
        yield hub


def test_the_same_manifest_applied_twice_gives_a_module_nothing_contradictory(hub: OperatedHub) -> None:
    patches: Queue = Queue()

    def listen(client: Any) -> None:
        client.on_twin_desired_properties_patch_received = patches.put

    content = manifest("A", "B", desired={"A": {"x": 1}})
    with hub.module("A", prepare=listen) as module:
        version = patches.get(timeout=DEADLINE_S)["$version"]  # the SDK hands the whole document over at first
        hub.service().apply_configuration(content)
        hub.service().apply_configuration(content)
        seen = {"x": 1}
        try:
            while True:
                patch = patches.get(timeout=1)
                assert patch.pop("$version") > version
                assert all(seen.get(key) == value for key, value in patch.items())
        except Empty:
            pass
        assert {k: v for k, v in module.get_twin()["desired"].items() if not k.startswith("$")} == seen


def test_an_added_route_works_without_a_restart_and_a_removed_one_stops(hub: OperatedHub) -> None:
    with hub.module("A") as module:
        module.send_message_to_output(json_message({"n": 1}), "out")
        hub.service().apply_configuration(manifest("A", "B", routes={"r": "FROM /messages/modules/A INTO $upstream"}))
        module.send_message_to_output(json_message({"n": 2}), "out")
        wait_until(lambda: bodies(hub) == [{"n": 2}])
        hub.service().apply_configuration(manifest("A", "B", routes={}))
        module.send_message_to_output(json_message({"n": 3}), "out")
        hub.service().apply_configuration(manifest("A", "B", routes={"r": "FROM /messages/modules/A INTO $upstream"}))
        module.send_message_to_output(json_message({"n": 4}), "out")
        wait_until(lambda: bodies(hub) == [{"n": 2}, {"n": 4}])


def test_a_changed_manifest_gives_a_module_the_difference_with_nulls(hub: OperatedHub) -> None:
    patches: Queue = Queue()

    def listen(client: Any) -> None:
        client.on_twin_desired_properties_patch_received = patches.put

    with hub.module("A", prepare=listen):
        assert patches.get(timeout=DEADLINE_S)["x"] == 1  # the whole document, at first
        hub.service().apply_configuration(manifest("A", "B", desired={"A": {"y": 2}}))
        patch = patches.get(timeout=DEADLINE_S)
    assert patch["x"] is None
    assert patch["y"] == 2


def test_a_manifest_adds_and_removes_module_identities(hub: OperatedHub) -> None:
    hub.service().apply_configuration(manifest("A", "C"))
    assert {"A", "C"} <= {module["moduleId"] for module in hub.service().modules()}
    assert "B" not in {module["moduleId"] for module in hub.service().modules()}
    with hub.module("C") as module:
        assert "$version" in module.get_twin()["desired"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "modulesContent"),
        (manifest("A", routes={"bad": "FORM /messages INTO $upstream"}), "bad"),
        ({"modulesContent": {"$edgeHub": {"properties.desired": {"schemaVersion": "2.0"}}}}, "schemaVersion"),
    ],
    ids=["no manifest", "bad route", "bad schema"],
)
def test_a_refused_manifest_changes_nothing_and_says_why(hub: OperatedHub, content: Any, reason: str) -> None:
    hub.service().apply_configuration(manifest("A", "B", routes={"r": "FROM /messages/modules/A INTO $upstream"}))
    with pytest.raises(HubAnswerError, match=reason) as refused:
        hub.service().apply_configuration(content)
    assert refused.value.status == 400
    with hub.module("A") as module:
        module.send_message_to_output(json_message({"n": 1}), "out")
    wait_until(lambda: bodies(hub) == [{"n": 1}])


def test_every_wrapper_of_deployment_content_is_taken(hub: OperatedHub) -> None:
    whole = manifest("A", "D")
    for content in ({"content": whole}, whole, {"moduleContent": whole["modulesContent"]}):
        hub.service().apply_configuration(manifest("A", "B"))
        hub.service().apply_configuration(content)
        assert "D" in {module["moduleId"] for module in hub.service().modules()}
