"""A variant is pinned in one place; two former ones are honoured for a version, and contradictions are refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from vigie.errors import ConfigRefusedError
from vigie_inference.config import InferenceConfig
from vigie_inference.objective import objective_of
from vigie_inference.pins import notes_on_pins
from vigie_inference.seats.who_serves import own_config


def config(**desired: Any) -> InferenceConfig:
    return msgspec.convert(desired, InferenceConfig)


@pytest.mark.parametrize(
    ("desired", "noted"),
    [
        ({"runtime": {"variant": "fp32"}}, set()),
        ({"model": {"name": "a", "variant": "fp32"}}, {"model"}),
        ({"runtime": {"require": {"variants": ["fp32"]}}}, {"runtime"}),
        (
            {"model": {"name": "a", "variant": "fp32"}, "runtime": {"require": {"variants": ["fp32"]}}},
            {"model", "runtime"},
        ),
        ({"model": {"name": "a", "variant": "fp32"}, "runtime": {"variant": "fp32"}}, {"model"}),
        ({"runtime": {"variant": "fp32", "require": {"variants": ["fp32", "int8"]}}}, set()),
    ],
)
def test_every_way_to_pin_a_variant_requires_it_and_the_old_ones_are_told(
    desired: dict[str, Any], noted: set[str]
) -> None:
    found = config(**desired)
    assert objective_of(found).require.variants == ("fp32",)
    assert notes_on_pins(found).keys() == noted
    assert all("$.runtime.variant" in note for note in notes_on_pins(found).values())


def test_a_list_of_several_narrows_and_is_no_pin() -> None:
    found = config(runtime={"require": {"variants": ["fp32", "int8"]}})
    assert objective_of(found).require.variants == ("fp32", "int8")
    assert notes_on_pins(found) == {}


@pytest.mark.parametrize(
    ("desired", "path", "words"),
    [
        (
            {"model": {"name": "a", "variant": "fp32"}, "runtime": {"variant": "int8"}},
            "$.model.variant",
            "is 'fp32', $.runtime.variant is 'int8'; keep only $.runtime.variant",
        ),
        (
            {"runtime": {"variant": "int8", "require": {"variants": ["fp32"]}}},
            "$.runtime.require.variants",
            "is 'fp32', $.runtime.variant is 'int8'; keep only $.runtime.variant",
        ),
        (
            {"model": {"name": "a", "variant": "fp32"}, "runtime": {"require": {"variants": ["int8"]}}},
            "$.runtime.require.variants",
            "is 'int8', $.model.variant is 'fp32'; keep only $.runtime.variant",
        ),
        (
            {"model": {"name": "a", "variant": "fp16"}, "runtime": {"require": {"variants": ["int8", "fp32"]}}},
            "$.model.variant",
            "'fp16' is not in $.runtime.require.variants",
        ),
        (
            {"runtime": {"variant": "fp16", "forbid": {"variants": ["fp16"]}}},
            "$.runtime.forbid.variants",
            "forbids everything that is required: fp16",
        ),
    ],
)
def test_pins_that_contradict_each_other_are_refused_with_the_path(
    desired: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(ConfigRefusedError) as refused:
        objective_of(config(**desired))
    assert (refused.value.path, refused.value.reason) == (path, words)


def test_a_seat_of_its_own_takes_no_pin_of_the_main_model() -> None:
    main = {"model": {"name": "a", "variant": "fp32"}, "runtime": {"require": {"engines": ["x"], "variants": ["fp32"]}}}
    release = {"version": "1", "source": "file:///a.zip", "sha256": "0" * 64, "size": 1, "cameras": ["dock"]}
    own = own_config(config(**main, models={"b": release}), "b")
    require = objective_of(own).require
    assert (require.engines, require.variants) == (("x",), None)
