"""Patches, versions, acknowledgements."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import pytest

from vigie.config.desired import (
    ACCEPTED,
    FAILED,
    REFUSED,
    Acknowledgements,
    Desired,
    VersionGapError,
    apply_patch,
    changes,
    merge,
    well_formed,
)
from vigie.config.mistakes import Mistake
from vigie.config.schema import config_defaults, config_schema, decode_config
from vigie.errors import ConfigRefusedError


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str = "synthetic://conveyor"
    fps: Annotated[int, msgspec.Meta(ge=1, le=120)] = 30


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: Source = Source()
    linger_ms: float = 0.0
    cameras: dict[Annotated[str, msgspec.Meta(pattern="^[a-z]+$")], Source] = {}


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({}, {"a": None, "b": {"c": None}}, {"b": {}}),
    ],
    ids=["add", "null removes", "value to object", "object to value", "arrays replace", "absent"],
)
def test_merge_patch(target: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    before = dict(target)
    assert merge(target, patch) == expected
    assert target == before


def test_the_next_version_is_applied_and_an_old_one_changes_nothing() -> None:
    desired = Desired(4, {"a": 1})
    assert apply_patch(desired, {"b": 2, "$version": 5}) == Desired(5, {"a": 1, "b": 2})
    assert apply_patch(desired, {"b": 2, "$version": 4}) is desired


@pytest.mark.parametrize("patch", [{"b": 2, "$version": 6}, {"b": 2}], ids=["skipped one", "no version"])
def test_a_gap_asks_for_the_full_twin(patch: dict[str, Any]) -> None:
    with pytest.raises(VersionGapError):
        apply_patch(Desired(4, {}), patch)


@pytest.mark.parametrize(
    ("desired", "path", "reason"),
    [
        ({"source": {"fps": 0}}, "$.source.fps", "expected a whole number, at least 1 and at most 120, got 0"),
        ({"source": {"fsp": 5}}, "$.source.fsp", "unknown property; did you mean 'fps'?"),
        ({"sauce": {}}, "$.sauce", "unknown property"),
        ({"linger_ms": "5"}, "$.linger_ms", 'expected a number, got "5"'),
        # The answer is a reported property: what may be a secret in a refused URL stays on the device.
        (
            {"linger_ms": "rtsp://u:pass@10.0.0.1/?key=abc"},
            "$.linger_ms",
            'expected a number, got "rtsp://u:***@10.0.0.1/?key=***"',
        ),
        ({"source": None}, "$.source", "expected an object, got null"),
        ({"cameras": {"hall": {}, "dock": {"fps": 0}}}, "$.cameras.dock.fps", "at least 1"),
        ({"cameras": {"hall": {}, "dock": {"fsp": 1}}}, "$.cameras.dock.fsp", "unknown property"),
        ({"cameras": {"hall": {}, "Dock 1": {}}}, "$.cameras.Dock 1", "is not a valid name"),
    ],
    ids=[
        "range",
        "nested unknown",
        "unknown",
        "type",
        "secret in a URL",
        "null",
        "of a mapping",
        "unknown of a mapping",
        "key",
    ],
)
def test_a_refusal_names_path_and_reason(desired: dict[str, Any], path: str, reason: str) -> None:
    with pytest.raises(ConfigRefusedError) as refused:
        decode_config(Config, desired)
    assert refused.value.path == path
    assert reason in refused.value.reason


def test_an_accepted_version_acknowledges_each_property_and_those_that_were_removed() -> None:
    acknowledgements = Acknowledgements()
    first = Desired(3, {"source": {"fps": 10}, "linger_ms": 5})
    acknowledgements.accepted(first, decode_config(Config, first.properties))
    second = Desired(4, {"source": {"fps": 10}})
    assert acknowledgements.accepted(second, decode_config(Config, second.properties)) == {
        "source": {"value": {"url": "synthetic://conveyor", "fps": 10}, "ac": 200, "av": 4, "ad": ""},
        "linger_ms": {"value": 0.0, "ac": 200, "av": 4, "ad": "not set: the default is in force"},
    }
    third = Desired(5, second.properties)
    assert acknowledgements.accepted(third, decode_config(Config, third.properties))["linger_ms"]["av"] == 4


def test_a_refused_version_shows_the_value_still_in_force() -> None:
    acknowledgements = Acknowledgements()
    in_force = decode_config(Config, {"source": {"fps": 10}})
    desired = Desired(17, {"source": {"fps": 0}, "linger_ms": 7.0})
    patch = acknowledgements.refused(desired, in_force, "$.source.fps", "expected 1..120, got 0")
    assert patch["source"] == {
        "value": {"url": "synthetic://conveyor", "fps": 10},
        "ac": 400,
        "av": 17,
        "ad": "$.source.fps: expected 1..120, got 0",
    }
    assert patch["linger_ms"]["ac"] == 400
    assert patch["linger_ms"]["value"] == 0.0


def test_a_refusal_keeps_the_word_of_what_it_does_not_concern() -> None:
    acknowledgements = Acknowledgements()
    good = Desired(3, {"linger_ms": 5.0})
    in_force = decode_config(Config, good.properties)
    said = acknowledgements.accepted(good, in_force)["linger_ms"]
    bad = Desired(4, {"source": {"fps": 0}})
    patch = acknowledgements.refused(bad, in_force, "$.source.fps", "expected 1..120, got 0")
    assert patch["linger_ms"] == said
    assert acknowledgements.reported.keys() == {"linger_ms", "source"}


def test_a_long_reason_is_cut_to_what_a_reported_property_can_hold() -> None:
    patch = Acknowledgements().refused(Desired(1, {"source": {}}), None, "$.source", "x" * 5_000)
    assert patch["source"]["ad"] == "$.source: " + "x" * 990


def test_the_schema_refuses_unknown_keys_and_the_defaults_decode() -> None:
    schema = config_schema(Config)
    assert schema["$defs"]["Source"]["additionalProperties"] is False
    assert decode_config(Config, config_defaults(Config)) == Config()


def test_an_entry_that_was_removed_is_removed_from_what_is_reported() -> None:
    acknowledgements = Acknowledgements()
    both = Desired(1, {"cameras": {"hall": {}, "dock": {}}})
    acknowledgements.accepted(both, decode_config(Config, both.properties))
    one = Desired(2, {"cameras": {"hall": {}}})
    patch = acknowledgements.accepted(one, decode_config(Config, one.properties))
    assert patch["cameras"]["value"]["dock"] is None
    assert set(patch["cameras"]["value"]) == {"hall", "dock"}


def test_what_an_earlier_start_reported_is_removed_too() -> None:
    acknowledgements = Acknowledgements()
    acknowledgements.remember(
        {"cameras": {"value": {"old": {}}, "ac": 200, "av": 3}, "speed": {"ac": 400, "av": 3}, "n": 1}
    )
    patch = acknowledgements.accepted(Desired(4, {"cameras": {}}), Config())
    assert patch == {"cameras": {"value": {"old": None}, "ac": 200, "av": 4, "ad": ""}, "speed": None}


def test_the_codes_are_those_of_plug_and_play() -> None:
    assert (ACCEPTED, REFUSED, FAILED) == (200, 400, 500)


def test_half_a_character_becomes_a_question_mark_wherever_it_stands() -> None:
    assert well_formed({"a": ["x\ud800", {"\udfff": 1}], "b": 2}) == {"a": ["x?", {"?": 1}], "b": 2}
    assert apply_patch(Desired(1, {}), {"a": "\ud800", "$version": 2}).properties == {"a": "?"}
    assert Desired.from_document({"a": "\ud800", "$version": 7, "$metadata": {}}) == Desired(7, {"a": "?"})


def test_a_number_or_a_depth_that_no_property_allows_is_left_to_who_refuses_it_by_its_path() -> None:
    large = {"a": 1 << 70}
    assert well_formed(large) is large
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert well_formed(deep) is deep


def test_only_the_property_with_a_mistake_is_400_and_what_else_is_in_force_in_it_is_said() -> None:
    desired = Desired(2, {"cameras": {"hall": {}, "dock": {"fps": 0}}, "linger_ms": 5.0, "source": {"fps": 0}})
    config = decode_config(Config, {"cameras": {"hall": {}}, "linger_ms": 5.0})
    dock = Mistake(("cameras", "dock", "fps"), "expected more")
    whole = Mistake(("source",), "expected another")
    patch = Acknowledgements().accepted(desired, config, [dock, whole], {"linger_ms": "a note", "source": "a hint"})
    assert {name: (one["ac"], one["ad"]) for name, one in patch.items()} == {
        "cameras": (400, "$.cameras.dock.fps: expected more; the other entries are in force"),
        "linger_ms": (200, "a note"),
        "source": (400, "$.source: expected another; a hint"),
    }


def test_a_mistake_in_the_only_entry_says_nothing_of_others() -> None:
    desired = Desired(2, {"cameras": {"dock": {"fps": 0}}})
    patch = Acknowledgements().accepted(desired, Config(), [Mistake(("cameras", "dock", "fps"), "expected more")])
    assert patch["cameras"]["ad"] == "$.cameras.dock.fps: expected more"


def test_the_version_since_which_a_default_is_in_force_survives_a_restart() -> None:
    before = Acknowledgements()
    before.accepted(Desired(3, {"linger_ms": 5.0}), Config(linger_ms=5.0))
    before.accepted(Desired(4, {}), Config())
    again = Acknowledgements()
    again.remember(json.loads(json.dumps(before.reported)))
    assert again.accepted(Desired(9, {}), Config())["linger_ms"]["av"] == 4


def test_what_was_reported_in_this_start_is_not_replaced_by_what_the_twin_held() -> None:
    acknowledgements = Acknowledgements()
    acknowledgements.accepted(Desired(5, {"linger_ms": 5.0}), Config(linger_ms=5.0))
    acknowledgements.remember({"linger_ms": {"value": 1.0, "ac": 200, "av": 2, "ad": ""}})
    assert acknowledgements.reported["linger_ms"]["av"] == 5


def test_a_refusal_of_the_whole_document_refuses_every_property_with_its_code() -> None:
    in_force = Config(linger_ms=5.0)
    desired = Desired(8, {"linger_ms": 5.0, "source": {"fps": 30}})
    patch = Acknowledgements().refused(desired, in_force, "$", "the card is missing", code=FAILED)
    assert {name: (one["ac"], one["av"], one["ad"]) for name, one in patch.items()} == {
        "linger_ms": (500, 8, "$: the card is missing"),
        "source": (500, 8, "$: the card is missing"),
    }


def test_a_refusal_leaves_alone_what_is_desired_and_in_force_already() -> None:
    acknowledgements = Acknowledgements()
    in_force = Config(source=Source(fps=10), linger_ms=5.0)
    desired = Desired(8, {"linger_ms": 5.0, "source": {"fps": 10}, "cameras": [1], "sauce": 1})
    patch = acknowledgements.refused(desired, in_force, "$.cameras[0]", "expected an object")
    assert patch.keys() == {"cameras", "sauce"}
    assert patch["cameras"]["ad"] == "$.cameras[0]: expected an object"
    assert patch["sauce"] == {"ac": 400, "av": 8, "ad": "not applied, because of $.cameras[0]: expected an object"}


def test_an_object_in_force_agrees_only_if_all_that_is_desired_of_it_agrees() -> None:
    desired = Desired(8, {"source": {"fps": 10, "url": "file:///a"}, "cameras": {"hall": {}}})
    patch = Acknowledgements().refused(desired, Config(source=Source(fps=10)), "$.linger_ms", "expected a number")
    assert patch.keys() == {"source", "cameras"}


def test_nulls_are_never_reported() -> None:
    class Loose(msgspec.Struct, frozen=True):
        zones: list[Any] = []
        at: dict[str, Any] = {}

    config = Loose([1, None, {"a": None, "b": 2}], {"x": None, "y": (None, 3)})
    patch = Acknowledgements().accepted(Desired(1, {"zones": [], "at": {}}), config)
    assert patch["zones"]["value"] == [1, {"b": 2}]
    assert patch["at"]["value"] == {"y": [3]}


def test_changes_name_each_leaf_that_differs_in_order() -> None:
    before = Config(source=Source(fps=10), cameras={"hall": Source(), "dock": Source(fps=5)})
    after = Config(source=Source(fps=12), linger_ms=1.0, cameras={"dock": Source(fps=5), "yard": Source()})
    gone, new = {"url": "synthetic://conveyor", "fps": 30}, {"url": "synthetic://conveyor", "fps": 30}
    assert changes(before, after) == [
        ("$.source.fps", 10, 12),
        ("$.linger_ms", 0.0, 1.0),
        ("$.cameras.hall", gone, None),
        ("$.cameras.yard", None, new),
    ]
    assert changes(after, after) == []
    assert ("$.linger_ms", None, 1.0) in changes(None, after)


def test_a_version_of_the_twin_is_never_changed_in_place() -> None:
    desired = Desired(1, {"a": 1})
    with pytest.raises(AttributeError):
        desired.version = 2  # type: ignore[misc]
