"""Twins: merging, versions, etags, limits, and what a module is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.hub_rules import Rules, Store, To, of_kind, published
from vigie_edgehub.ports import HubRefusalError, RefusalCode, TwinRefusedError
from vigie_edgehub.state.effects import Effect, Note
from vigie_edgehub.state.sessions import ClientLink
from vigie_edgehub.state.twin_limits import check_reported, section_bytes
from vigie_edgehub.state.twin_merge import difference, merge
from vigie_edgehub.state.twins import HubTwins, client_view, etag_text, service_properties

ONE = {"out": [To("b/in")], "twin": [To("c/changes")]}
DESIRED = "$iothub/twin/PATCH/properties/desired/#"
KEYS = st.text(st.characters(codec="utf-8", exclude_characters=".$# "), min_size=1, max_size=4)
LEAVES = st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5) | st.lists(st.integers(0, 3), max_size=3)
DOCUMENTS = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3)), max_size=4
)


@given(DOCUMENTS, DOCUMENTS)
def test_the_difference_of_two_documents_merged_into_the_first_gives_the_second(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    merged = merge(old, difference(old, new))
    assert json.dumps(merged, sort_keys=True) == json.dumps(new, sort_keys=True)


@given(DOCUMENTS)
def test_a_document_differs_from_itself_in_nothing(document: dict[str, Any]) -> None:
    assert difference(document, document) == {}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"b": {"c": None}}, {"a": 1, "b": {"d": 3}}),
        ({"x": None}, {"a": 1, "b": {"c": 2, "d": 3}}),
        ({"b": 5}, {"a": 1, "b": 5}),
        ({"a": {"n": 1}}, {"a": {"n": 1}, "b": {"c": 2, "d": 3}}),
        ({"b": {"c": [1, 2]}}, {"a": 1, "b": {"c": [1, 2], "d": 3}}),
    ],
    ids=["null removes", "null of an absent key", "value for object", "object for value", "array replaces whole"],
)
def test_merge(patch: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merge({"a": 1, "b": {"c": 2, "d": 3}}, patch) == expected


def test_true_is_not_one() -> None:
    assert difference({"a": 1}, {"a": True}) == {"a": True}


def nested(levels: int) -> dict:
    document: dict = {"leaf": 1}
    for _ in range(levels - 1):
        document = {"n": document}
    return document


@pytest.mark.parametrize(
    "patch",
    [
        {"big": ["x" * 4000] * 9},
        nested(11),
        {"a.b": 1},
        {"$a": 1},
        {"a#": 1},
        {"a b": 1},
        {"a\x01": 1},
        {"k" * 1025: 1},
        {"s": "x" * 4097},
        {"i": 4503599627370496},
        {"i": -4503599627370497},
        {"l": [1, None]},
        {"l": [{"x": None}]},
        ["no object"],
        None,
    ],
    ids=[
        "36 KB", "11 levels", "dot", "dollar", "hash", "space", "control", "long key", "long string",
        "large integer", "small integer", "null in array", "null in object in array", "array", "null",
    ],
)  # fmt: skip
def test_a_reported_patch_against_the_rules_is_refused(patch: Any) -> None:
    with pytest.raises(TwinRefusedError):
        check_reported(patch)


def test_a_reported_patch_at_the_limits_is_taken() -> None:
    check_reported(nested(10) | {"k" * 1024: "x" * 4096, "i": 4503599627370495, "j": -4503599627370496, "l": [1, [2]]})


def test_sizes_are_counted_as_iot_hub_counts() -> None:
    assert section_bytes({"key": "é", "n": 1, "b": True, "l": [1, 2]}) == 3 + 2 + 1 + 8 + 1 + 4 + 1 + 16


def write(twins: HubTwins, body: dict, if_match: str | None = None, *, replace: bool = False) -> Any:
    return twins.write(1000.0, "b", body, if_match, replace=replace)


def desired(**members: Any) -> dict:
    return {"properties": {"desired": members}}


def test_each_operators_change_raises_the_version_by_one_also_when_nothing_changes_in_value() -> None:
    twins = HubTwins()
    for expected in (2, 3, 4):
        write(twins, desired(a=1))
        assert twins.get("b").desired_version == expected


def test_what_the_module_is_told_is_the_change_with_its_nulls() -> None:
    twins = HubTwins()
    write(twins, desired(a=1, b={"c": 2}))
    assert write(twins, desired(b={"c": None}, z=None)) == {"b": {"c": None}, "z": None}
    assert write(twins, desired(a=2), replace=True) == {"a": 2, "b": None}


def test_an_etag_that_does_not_match_changes_nothing() -> None:
    twins = HubTwins()
    etag = etag_text(twins.get("b").etag)
    write(twins, desired(a=1), etag)
    with pytest.raises(HubRefusalError) as refused:
        write(twins, desired(a=2), etag)
    assert refused.value.error_code is RefusalCode.PreconditionFailed
    assert twins.get("b").desired == {"a": 1}
    write(twins, desired(a=2), f'"{etag_text(twins.get("b").etag)}"')
    write(twins, desired(a=3), "*")


def test_read_only_members_of_a_whole_twin_are_ignored() -> None:
    twins = HubTwins()
    write(
        twins,
        {
            "deviceId": "other",
            "properties": {"desired": {"a": 1, "$version": 99, "$metadata": {}}, "reported": {"x": 1}},
        },
    )
    twin = twins.get("b")
    assert (twin.desired, twin.reported, twin.desired_version) == ({"a": 1}, {}, 2)


def test_too_much_is_refused_and_leaves_everything_as_it_was() -> None:
    twins = HubTwins()
    for change in (
        desired(**{f"k{n}": "x" * 4000 for n in range(9)}),
        {"tags": {f"k{n}": "x" * 4000 for n in range(3)}} | desired(a=1),
    ):
        with pytest.raises(TwinRefusedError) as refused:
            write(twins, change)
        assert refused.value.error_code is RefusalCode.MessageTooLarge
    assert client_view(twins.get("b"))["desired"] == {"$version": 1}


def test_metadata_mirrors_the_tree_and_stays_out_of_the_modules_view() -> None:
    twins = HubTwins()
    write(twins, desired(a={"b": 1}))
    write(twins, desired(c=2))
    metadata = service_properties(twins.get("b"))["desired"]["$metadata"]
    assert metadata["a"]["b"]["$lastUpdatedVersion"] == 2
    assert metadata["c"]["$lastUpdatedVersion"] == 3
    assert metadata["$lastUpdated"] == "1970-01-01T00:16:40.0000000Z"
    assert "$metadata" not in client_view(twins.get("b"))["desired"]


def test_a_manifest_replaces_desired_once_and_an_unchanged_one_leaves_the_operators_changes() -> None:
    twins = HubTwins()
    assert twins.deploy(0, "b", {"a": 1}) == {"a": 1}
    write(twins, desired(a=7))
    assert twins.deploy(0, "b", {"a": 1}) is None
    assert twins.get("b").desired == {"a": 7}
    assert twins.deploy(0, "b", {"a": 2, "n": 1}) == {"a": 2, "n": 1}
    assert twins.get("b").desired_version == 4


def report(rules: Rules, link: ClientLink, body: bytes, rid: str | None = "r") -> list[Effect]:
    rules.state.report(1, link, rid, body)
    return rules.collect()


def test_a_report_is_answered_204_with_its_request_id_and_becomes_a_message() -> None:
    rules = Rules(ONE)
    b = rules.connect(0, "b")
    effects = report(rules, b, b'{"speed":3}')
    assert [packet.topic for packet in published(effects)] == ["$iothub/twin/res/204/?$rid=r"]
    stored = of_kind(effects, Store)[0]
    assert stored.message.body == b'{"speed":3}'
    assert stored.message.system["connectionModuleId"] == "b"


def test_a_report_that_no_route_asks_for_is_counted_apart_from_dropped_messages() -> None:
    rules = Rules({"out": [To("b/in")]})
    effects = report(rules, rules.connect(0, "b"), b'{"speed":3}')
    assert of_kind(effects, Store) == of_kind(effects, Note) == []
    assert rules.state.counters.unrouted_twin_changes == 1
    assert rules.state.counters.dropped_no_route == 0


def test_a_report_without_a_request_id_is_applied_in_silence() -> None:
    rules = Rules(ONE)
    b = rules.connect(0, "b")
    assert published(report(rules, b, b'{"a":1}', None)) == []
    assert rules.state.twins.get("b").reported == {"a": 1}


@pytest.mark.parametrize("body", [b"", b"no json", b'{"a":NaN}', b'{"a.b":1}', b"\xff\xfe", b"[" * 5000])
def test_a_bad_report_is_answered_400_and_changes_nothing(body: bytes) -> None:
    rules = Rules(ONE)
    b = rules.connect(0, "b")
    effects = report(rules, b, body)
    assert [packet.topic for packet in published(effects)] == ["$iothub/twin/res/400/?$rid=r"]
    assert of_kind(effects, Store) == []
    assert rules.state.twins.get("b").reported == {}


def test_a_flood_of_gets_is_answered_200_and_slowed_down() -> None:
    rules = Rules(ONE, twin_gets_per_s=10)
    b = rules.connect(0, "b")
    for number in range(30):
        rules.state.twin_requests.get(100, b, str(number))
    assert len(published(rules.collect())) == 10
    assert len(published(rules.tick(101))) == 10
    late = published(rules.tick(102))
    assert {packet.topic.split("/")[3] for packet in late} == {"200"}
    assert rules.state.counters.twin_gets_delayed == 20


def test_a_desired_change_is_pushed_only_to_a_connected_module_that_asked_for_it() -> None:
    rules = Rules(ONE)
    b = rules.connect(0, "b")
    rules.state.push_desired("b", {"a": 1})
    assert published(rules.collect()) == []
    rules.state.subscribe(1, b, 2, [(DESIRED, 1)])
    rules.collect()
    rules.state.push_desired("b", {"a": None})
    push = published(rules.collect())[0]
    assert json.loads(push.payload) == {"a": None, "$version": 1}
    rules.lose(2, b)
    rules.state.push_desired("b", {"a": 2})
    assert published(rules.collect()) == []


@pytest.mark.parametrize("properties", [[], 7, "desired"], ids=["array", "number", "text"])
def test_properties_that_are_not_an_object_are_refused_and_missing_ones_are_not(properties: Any) -> None:
    twins = HubTwins()
    with pytest.raises(TwinRefusedError, match="properties: expected a JSON object"):
        write(twins, {"properties": properties})
    assert write(twins, {"properties": None, "tags": {"site": "north"}}) is None
    assert twins.get("b").tags == {"site": "north"}


def test_a_difference_is_the_smallest_patch_and_tells_true_from_one_at_any_depth() -> None:
    old = {"a": {"b": 1, "c": {"d": 1, "e": 2}}, "f": 3, "g": 4}
    new = {"a": {"b": 1, "c": {"d": True, "e": 2}}, "f": {"h": 1}}
    assert difference(old, new) == {"a": {"c": {"d": True}}, "f": {"h": 1}, "g": None}
    assert difference({"a": [{"b": 1}]}, {"a": [{"b": True}]}) == {"a": [{"b": True}]}
    assert difference({"a": [{"b": 1, "c": 2}]}, {"a": [{"c": 2, "b": 1}]}) == {}
