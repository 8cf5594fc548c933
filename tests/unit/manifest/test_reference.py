"""docs/reference.md and docs/schemas say what the modules decode."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from vigie.config.schema import config_defaults
from vigie.contracts import envelope
from vigie.contracts.credit import Credit
from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie.contracts.envelope import Envelope, Schema
from vigie.contracts.frames import FrameItem
from vigie.contracts.inputspec import InputSpec
from vigie.contracts.names import MODULES
from vigie.contracts.pixels import InlineJpeg, RingReference
from vigie.contracts.tensors import FrameTransform, TensorItem
from vigie_devkit.manifest.module_schemas import config_type
from vigie_devkit.manifest.reference import drift, reference_files, registered_methods
from vigie_devkit.manifest.schema_tables import field_rows

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
WHEN = "2026-11-25T12:00:00.000000Z"
RING = RingReference("c.00000001", 0, 2, (480, 640, 3))


def schema(name: str) -> dict[str, Any]:
    return json.loads((DOCS / f"schemas/{name}.json").read_text(encoding="utf-8"))


def generated() -> list[Path]:
    return [*DOCS.glob("schemas/*.json"), *DOCS.glob("dtdl/*.json")]


def test_the_generated_files_are_current() -> None:
    made = ["reference.md", "metrics.md", *(str(path.relative_to(DOCS)) for path in generated())]
    current = {name: (DOCS / name).read_text(encoding="utf-8") for name in made}
    assert drift(current, reference_files()) == [], "run ./vigie manifest reference"


@pytest.mark.parametrize("path", sorted((DOCS / "schemas").glob("*.json")), ids=lambda path: path.stem)
def test_every_file_is_a_json_schema(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", MODULES)
def test_the_modules_defaults_are_valid_by_the_published_schema(module: str) -> None:
    config = config_type(module)
    assert config is not None
    Draft202012Validator(schema(f"{module}.twin")).validate(config_defaults(config))


@pytest.mark.parametrize(
    ("module", "desired"),
    [
        ("camera", {"cameras": {"dock": {"source": "x", "fsp": 1}}}),
        ("camera", {"cameras": {"Dock!": {"source": "x"}}}),
        ("preprocess", {"slots": 3}),
        ("inference", {"score": 1.5}),
        ("sync", {"report": "sometimes"}),
    ],
)
def test_what_a_module_refuses_is_invalid_by_the_published_schema_too(module: str, desired: dict[str, Any]) -> None:
    assert not Draft202012Validator(schema(f"{module}.twin")).is_valid(desired)


SEEN = DetectionsItem(
    "c", 1, "c-0-1", WHEN, 1, (480, 640), "m", [Detection("bolt", 0, 0.9, (1, 2, 3, 4))], StageTimings(1, 2, 3)
)


@pytest.mark.parametrize(
    ("name", "item"),
    [
        (envelope.FRAMES, FrameItem("c", 1, "c-0-1", WHEN, 1, (480, 640), RING)),
        (envelope.FRAMES, FrameItem("c", 1, "c-0-1", WHEN, 1, (480, 640), InlineJpeg(b"x", (1, 1, 3), (2, 2)))),
        (envelope.TENSORS, TensorItem("c", 1, "t", WHEN, 1, (4, 4), FrameTransform(1, 1, 0, 0), "v", RING, 1.0)),
        (envelope.DETECTIONS, SEEN),
        (envelope.TELEMETRY, SEEN),
        (envelope.INPUT_SPEC, InputSpec("v", (416, 416), "centre")),
        (envelope.CREDIT, Credit("sync", "inference", "detections", "0", 1)),
    ],
    ids=lambda value: str(value) if isinstance(value, Schema) else type(getattr(value, "pixels", value)).__name__,
)
def test_what_modules_send_is_valid_by_the_published_schema(name: Schema, item: Any) -> None:
    message = json.loads(msgspec.json.encode(Envelope(str(name), "m", "0", 1, [item])))
    validator = Draft202012Validator(schema(f"{name.name}-{name.version}"))
    validator.validate(message)
    del message["items"][0][next(iter(message["items"][0]))]
    assert not validator.is_valid(message)


def test_every_module_has_its_methods_on_the_page() -> None:
    page = (DOCS / "reference.md").read_text(encoding="utf-8")
    for module in MODULES:
        methods = registered_methods(module)
        assert methods
        assert all(f"- `{name}`:" in page for name, _, _ in methods)
        sources = "".join(one.read_text() for one in (DOCS.parent / f"modules/{module}/src").rglob("*.py"))
        assert {name for name, _, _ in methods} == set(re.findall(r'\.method\(\s*"(\w+)"', sources)) | {"get_status"}


def test_rows_name_paths_ranges_and_defaults() -> None:
    rows = {
        row.path: row
        for row in field_rows(
            {
                "$ref": "#/$defs/C",
                "$defs": {
                    "C": {
                        "type": "object",
                        "properties": {
                            "all": {"type": "object", "additionalProperties": {"$ref": "#/$defs/S"}, "default": {}},
                            "maybe": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/S"}], "default": None},
                        },
                        "required": [],
                    },
                    "S": {
                        "type": "object",
                        "properties": {"fps": {"type": "integer", "minimum": 1, "maximum": 9, "description": "a | b"}},
                        "required": ["fps"],
                    },
                },
            }
        )
    }
    assert list(rows) == ["all", "all.<name>.fps", "maybe", "maybe.fps"]
    assert rows["all.<name>.fps"].kind == "integer from 1 to 9, required"
    assert rows["all.<name>.fps"].what == "a \\| b"
    assert (rows["maybe"].kind, rows["maybe"].default, rows["all"].default) == ("object", "none", "`{}`")
