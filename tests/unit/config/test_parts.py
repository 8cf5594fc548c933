"""A desired document part by part, and every mistake at once in words."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import msgspec
import pytest

from vigie.config.mistakes import mistakes
from vigie.config.parts import Parts
from vigie.config.wording import PATTERNS
from vigie.contracts.names import FLOW
from vigie.errors import ConfigRefusedError
from vigie_camera.config import CameraConfig, CameraSettings
from vigie_inference.config import InferenceConfig, ModelConfig

NAME = "lower-case letters, digits, '-' and '_', a letter or digit first"
GOOD = {"source": "synthetic://conveyor"}


@pytest.mark.parametrize(
    ("desired", "expected"),
    [
        ({}, []),
        ({"linger_ms": "x"}, ['$.linger_ms: expected a number, at least 0 and at most 200, got "x"']),
        (
            {"cameras": {"dock": {**GOOD, "fsp": 1, "pace": "fast", "slots": 2}}, "linger": 3},
            [
                "$.linger: unknown property; did you mean 'linger_ms'?",
                "$.cameras.dock.fsp: unknown property; did you mean 'fps'?",
                '$.cameras.dock.pace: expected one of auto, max, realtime, got "fast"',
                "$.cameras.dock.slots: expected a whole number, at least 4 and at most 64, got 2",
            ],
        ),
        (
            {"cameras": {"ok": GOOD, "Dock 1": GOOD, "yard": {}}},
            [
                f"$.cameras.Dock 1: is not a valid name; expected text, at most 64 characters and {NAME}",
                "$.cameras.yard.source: required property is missing",
            ],
        ),
        ({"cameras": [1]}, ["$.cameras: expected an object, at most 64 entries, got [1]"]),
    ],
    ids=["none", "type", "four", "names", "list"],
)
def test_every_mistake_is_named_with_what_is_allowed(desired: dict[str, Any], expected: list[str]) -> None:
    assert sorted(map(str, mistakes(CameraConfig, desired))) == sorted(expected)


def test_a_bad_camera_keeps_its_settings_and_the_others_change() -> None:
    before = CameraConfig(cameras={"dock": CameraSettings(source="a"), "yard": CameraSettings(source="b")})
    desired = {"cameras": {"dock": {"source": "a2", "fsp": 1}, "yard": {"source": "b2"}, "new": {"slots": 1}}}
    parts = Parts(CameraConfig, desired, before)
    assert {name: one.source for name, one in parts.config.cameras.items()} == {"dock": "a", "yard": "b2"}
    assert {one.path for one in parts.refused} == {
        "$.cameras.dock.fsp",
        "$.cameras.new.slots",
        "$.cameras.new.source",
    }
    assert Parts(CameraConfig, parts.properties, None).config == parts.config


def test_a_bad_property_keeps_its_value_and_the_others_change() -> None:
    parts = Parts(InferenceConfig, {"score": 0.7, "iou": 3, "model": {"path": "/m"}}, InferenceConfig(iou=0.3))
    assert (parts.config.score, parts.config.iou, parts.config.model) == (0.7, 0.3, ModelConfig(path="/m"))


def test_a_part_that_is_refused_when_it_was_to_take_effect_is_left_out_once() -> None:
    parts = Parts(InferenceConfig, {"score": 0.7, "classes": ["unicorn"]}, InferenceConfig())
    refusal = ConfigRefusedError("$.classes[0]", "no such class")
    parts.refuse(refusal)
    assert parts.config == InferenceConfig(score=0.7)
    with pytest.raises(ConfigRefusedError):
        parts.refuse(refusal)


def test_a_model_that_is_refused_at_start_is_not_replaced_by_another() -> None:
    desired = {"model": {"path": 3}, "score": 0.5}
    with pytest.raises(ConfigRefusedError, match=r"\$\.model\.path: expected text"):
        Parts(InferenceConfig, desired, None)
    assert Parts(InferenceConfig, desired, InferenceConfig()).config == InferenceConfig(score=0.5)


def test_every_pattern_of_a_module_has_its_words() -> None:
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.update(text for key, text in value.items() if key == "pattern" and isinstance(text, str))
            for child in value.values():
                walk(child)

    for module in FLOW:
        walk(msgspec.json.schema(getattr(import_module(f"vigie_{module}.config"), f"{module.capitalize()}Config")))
    assert found
    assert found <= PATTERNS.keys()
