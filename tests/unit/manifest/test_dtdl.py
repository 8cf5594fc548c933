"""Interfaces of the Digital Twins Definition Language, made of the modules' own types."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from vigie.config.schema import json_schema
from vigie_devkit.manifest.dtdl import interface
from vigie_devkit.manifest.errors import ManifestError


class Inner(msgspec.Struct):
    """One of them."""

    points: Annotated[list[tuple[float, float]], Meta(description="Corners.")] = []
    label: str | None = None


class Config(msgspec.Struct):
    """What may be set."""

    fps: Annotated[float, Meta(ge=0, description="Per second.")] = 1.0
    count: int = 1
    on: bool = False
    cameras: Annotated[dict[str, dict[str, Inner]], Meta(description="By name.")] = {}


class Flush(msgspec.Struct):
    """A request."""

    timeout_s: float = 1.0


class Odd(msgspec.Struct):
    """What DTDL cannot say."""

    value: int | str = 1


def test_properties_are_writable_and_commands_have_their_payloads() -> None:
    model = interface("sync", json_schema(Config), [("flush", json_schema(Flush), None), ("stop", None, None)])
    assert model["@context"] == "dtmi:dtdl:context;3"
    assert model["description"] == "What may be set."
    by_name = {one["name"]: one for one in model["contents"]}
    assert by_name["fps"] == {
        "@type": "Property", "name": "fps", "description": "Per second.", "schema": "double", "writable": True,
    }  # fmt: skip
    assert (by_name["count"]["schema"], by_name["on"]["schema"]) == ("long", "boolean")
    assert by_name["flush"]["request"]["schema"] == {
        "@type": "Object", "fields": [{"name": "timeout_s", "schema": "double"}],
    }  # fmt: skip
    assert by_name["stop"] == {"@type": "Command", "name": "stop"}


def test_what_lies_below_the_fifth_level_is_left_out_and_named() -> None:
    class Deeper(msgspec.Struct):
        config: dict[str, Config] = {}

    model = interface("sync", json_schema(Deeper), [])
    cameras = model["contents"][0]["schema"]["mapValue"]["schema"]["fields"][-1]
    assert cameras["name"] == "cameras"
    inner = cameras["schema"]["mapValue"]["schema"]["mapValue"]["schema"]
    assert [one["name"] for one in inner["fields"]] == ["label"]
    assert cameras["description"] == "By name. Too deep for DTDL, see the JSON Schema: points."


def test_a_property_of_several_types_is_refused_with_its_path() -> None:
    with pytest.raises(ManifestError, match=r"sync \$\.value: is one of several types"):
        interface("sync", json_schema(Odd), [])
