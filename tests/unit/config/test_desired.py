"""Patches, versions, acknowledgements."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from vigie.config.desired import Acknowledgements, Desired, VersionGapError, apply_patch, merge
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
