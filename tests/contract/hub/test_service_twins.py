"""Twins seen from both sides at once: an operator's REST client and a real SDK module (conformance 45 to 49)."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from typing import Any

import pytest
from azure.iot.device.exceptions import ClientError

from support.service_side import DEADLINE_S, OperatedHub, manifest, served_hub, wait_until
from vigie.errors import HubAnswerError


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatedHub]:
    content = manifest("A", "B", "offline", "limits", desired={"A": {"threshold": 25}})
    with served_hub(tmp_path_factory.mktemp("twins"), content) as hub:
        yield hub


def desired_of(hub: OperatedHub, module: str) -> dict[str, Any]:
    desired = hub.service().twin(module)["properties"]["desired"]
    return {k: v for k, v in desired.items() if not k.startswith("$")}


def test_a_module_gets_desired_and_reported_with_their_versions(hub: OperatedHub) -> None:
    with hub.module("A") as module:
        twin = module.get_twin()
    assert twin["desired"]["threshold"] == 25
    assert isinstance(twin["desired"]["$version"], int)
    assert isinstance(twin["reported"]["$version"], int)


def test_a_module_without_desired_properties_gets_an_empty_twin(hub: OperatedHub) -> None:
    with hub.module("B") as module:
        twin = module.get_twin()
    assert set(twin["desired"]) <= {"$version", "$metadata"}
    assert "$version" in twin["desired"]
    assert "$version" in twin["reported"]


def test_an_identity_added_by_the_operator_gets_an_empty_twin_too(hub: OperatedHub) -> None:
    client = hub.service()
    client._object("PUT", f"/devices/{client.hub.device_id}/modules/added", {})
    twin = client.twin("added")
    assert twin["properties"]["desired"]["$version"] >= 1
    assert twin["properties"]["reported"]["$version"] >= 1


def test_a_reported_patch_shows_in_the_service_view_and_null_removes(hub: OperatedHub) -> None:
    with hub.module("B") as module:
        module.patch_twin_reported_properties({"state": "running", "camera": {"fps": 30, "lens": "wide"}})
        before = hub.service().twin("B")["properties"]["reported"]
        assert before["state"] == "running"
        module.patch_twin_reported_properties({"state": None, "camera": {"lens": None}})
    after = hub.service().twin("B")["properties"]["reported"]
    assert "state" not in after
    assert after["camera"] == {"fps": 30}
    assert after["$version"] == before["$version"] + 1


def nested(levels: int) -> Any:
    tree = "leaf"
    for _ in range(levels):
        tree = {"n": tree}
    return tree


@pytest.mark.parametrize(
    "patch",
    [
        {f"k{n}": "x" * 4000 for n in range(9)},
        nested(11),
        {"a.b": 1},
        {"$a": 1},
        {"a#": 1},
        {"a b": 1},
        {"text": "x" * 4097},
        {"list": [1, None]},
    ],
    ids=["36 KB", "11 levels", "dot", "dollar", "hash", "space", "long string", "null in array"],
)
def test_a_reported_patch_beyond_the_limits_is_refused_and_changes_nothing(hub: OperatedHub, patch: Any) -> None:
    with hub.module("limits") as module:
        before = hub.service().twin("limits")["properties"]["reported"]
        with pytest.raises(ClientError):
            module.patch_twin_reported_properties(patch)
        assert hub.service().twin("limits")["properties"]["reported"] == before


def test_a_reported_patch_at_the_limits_is_taken(hub: OperatedHub) -> None:
    with hub.module("limits") as module:
        module.patch_twin_reported_properties({"deep": nested(9), "text": "x" * 4096, "list": [1, "a", {"b": 2}]})
    assert hub.service().twin("limits")["properties"]["reported"]["text"] == "x" * 4096


def test_each_change_by_an_operator_reaches_the_module_as_that_change_with_the_next_version(hub: OperatedHub) -> None:
    patches: Queue = Queue()

    def listen(client: Any) -> None:
        client.on_twin_desired_properties_patch_received = patches.put

    with hub.module("B", prepare=listen):
        version = patches.get(timeout=DEADLINE_S)["$version"]  # the SDK hands the whole document over at first
        for change in (
            {"a": 1},  # added
            {"a": 2},  # overwritten
            {"a": 2},  # repeated
            {"b": {"c": 1, "d": 2}},  # an object
            {"b": {"c": None}},  # a part removed
            {"absent": None},  # removed, though it is not there
            {"a": {"now": "an object"}},  # a value becomes an object
            {"a": 3},  # and back
            {"a": None, "b": None},
        ):
            hub.service().patch_twin("B", {"properties": {"desired": change}})
            version += 1
            assert patches.get(timeout=DEADLINE_S) == {**change, "$version": version}
    assert desired_of(hub, "B") == {}


def test_a_replaced_twin_reaches_the_module_with_nulls_for_what_went(hub: OperatedHub) -> None:
    patches: Queue = Queue()
    hub.service().patch_twin("B", {"properties": {"desired": {"keep": 1, "gone": {"x": 1}}}})

    def listen(client: Any) -> None:
        client.on_twin_desired_properties_patch_received = patches.put

    with hub.module("B", prepare=listen):
        assert patches.get(timeout=DEADLINE_S)["gone"] == {"x": 1}  # the whole document, at first
        hub.service().replace_twin("B", {"properties": {"desired": {"keep": 1, "fresh": 2}}})
        patch = patches.get(timeout=DEADLINE_S)
    assert patch["gone"] is None
    assert patch["fresh"] == 2
    assert desired_of(hub, "B") == {"keep": 1, "fresh": 2}


def test_what_changed_while_a_module_was_away_is_in_its_next_twin(hub: OperatedHub) -> None:
    with hub.module("offline") as module:
        module.get_twin()
    hub.service().patch_twin("offline", {"properties": {"desired": {"while": "away"}}})
    with hub.module("offline") as module:
        assert module.get_twin()["desired"]["while"] == "away"


def test_an_etag_that_changed_refuses_the_write_with_412(hub: OperatedHub) -> None:
    client = hub.service()
    old = client.twin("A")["etag"]
    client.patch_twin("A", {"properties": {"desired": {"threshold": 26}}}, etag=old)
    with pytest.raises(HubAnswerError) as refused:
        client.patch_twin("A", {"properties": {"desired": {"threshold": 27}}}, etag=old)
    assert (refused.value.status, refused.value.error_code) == (412, 412001)
    assert desired_of(hub, "A")["threshold"] == 26


def test_read_only_members_of_a_whole_twin_are_ignored(hub: OperatedHub) -> None:
    client = hub.service()
    whole = client.twin("A")
    whole["properties"]["desired"]["threshold"] = 31
    whole["properties"]["reported"] = {"forged": True}
    whole["connectionState"] = "Connected"
    after = client.patch_twin("A", whole, etag=whole["etag"])
    assert after["properties"]["desired"]["threshold"] == 31
    assert "forged" not in after["properties"]["reported"]
    assert after["moduleId"] == "A"


def test_tags_are_kept_and_never_shown_to_the_module(hub: OperatedHub) -> None:
    hub.service().patch_twin("A", {"tags": {"line": 3, "gone": 1}})
    assert hub.service().patch_twin("A", {"tags": {"gone": None}})["tags"] == {"line": 3}
    with hub.module("A") as module:
        assert "tags" not in module.get_twin()


def test_the_service_view_has_metadata_for_each_property(hub: OperatedHub) -> None:
    hub.service().patch_twin("A", {"properties": {"desired": {"nested": {"x": 1}}}})
    metadata = hub.service().twin("A")["properties"]["desired"]["$metadata"]
    assert "$lastUpdated" in metadata["nested"]["x"]


def test_a_desired_section_beyond_its_size_is_refused_and_nothing_changed(hub: OperatedHub) -> None:
    before = hub.service().twin("A")
    with pytest.raises(HubAnswerError) as refused:
        hub.service().patch_twin("A", {"properties": {"desired": {f"k{n}": "x" * 4000 for n in range(12)}}})
    assert refused.value.status in {400, 413}
    assert hub.service().twin("A")["etag"] == before["etag"]


def test_an_unknown_module_and_an_unknown_device_have_their_own_codes(hub: OperatedHub) -> None:
    with pytest.raises(HubAnswerError) as refused:
        hub.service().twin("nobody")
    assert (refused.value.status, refused.value.error_code) == (404, 404010)
    client = hub.service()
    client._device = "elsewhere"
    with pytest.raises(HubAnswerError) as refused:
        client.twin("A")
    assert (refused.value.status, refused.value.error_code) == (404, 404001)


def test_the_connection_state_of_the_service_view_follows_the_module(hub: OperatedHub) -> None:
    def state() -> str:
        return hub.service().twin("A")["connectionState"]

    with hub.module("A"):
        assert state() == "Connected"
    wait_until(lambda: state() == "Disconnected")
