"""A JSON Schema as the rows of a table for people: path, type with its range, default, description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_RANGES = (
    ("minimum", "from {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "to {}"),
    ("exclusiveMaximum", "below {}"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {}"),
    ("maxProperties", "at most {}"),
)
_RST = re.compile(r"``([^`]*)``")


class PropertyRow(msgspec.Struct, frozen=True):
    """``path`` with ``<name>`` for keys of a mapping and ``[]`` for items of a list."""

    path: str
    kind: str
    default: str
    what: str


def field_rows(schema: Mapping[str, Any]) -> Iterator[PropertyRow]:
    """Every property of an object schema, depth first, in the order of the type's fields."""
    definitions = schema.get("$defs", {})
    yield from _rows(resolved_schema(schema, definitions), definitions, "")


def _rows(schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str) -> Iterator[PropertyRow]:
    required = set(schema.get("required", ()))
    for name, given in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        default = "" if name in required else _default(given)
        yield PropertyRow(
            path, _kind(given, definitions) + (", required" if name in required else ""), default, _what(given)
        )
        yield from _below(given, definitions, path)


def _below(given: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> Iterator[PropertyRow]:
    """Rows of what is inside: an object, the values of a mapping, the items of a list; of each alternative."""
    for one in _alternatives(given, definitions):
        if "properties" in one:
            yield from _rows(one, definitions, f"{path}.")
        elif isinstance(inner := one.get("additionalProperties"), Mapping):
            yield from _below(inner, definitions, f"{path}.<name>")
        elif isinstance(inner := one.get("items"), Mapping):
            yield from _below(inner, definitions, f"{path}[]")


def _alternatives(given: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    resolved = resolved_schema(given, definitions)
    return (
        [one for part in resolved["anyOf"] for one in _alternatives(part, definitions)]
        if "anyOf" in resolved
        else [resolved]
    )


def resolved_schema(given: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in given:
        given = definitions[given["$ref"].rpartition("/")[2]]
    return given


def _kind(given: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    kinds = dict.fromkeys(_plain_kind(one) for one in _alternatives(given, definitions))
    return " or ".join(kind for kind in kinds if kind != "null") or "null"


def _plain_kind(one: Mapping[str, Any]) -> str:
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    kind = str(one.get("type", "any"))
    if kind == "array" and "prefixItems" in one:
        kind = f"list of {len(one['prefixItems'])}"
    elif kind == "array":
        kind = "list"
    elif kind == "string" and one.get("contentEncoding") == "base64":
        kind = "base64"
    if "prefixItems" in one:
        return kind  # its length is said
    limits = " ".join(text.format(_number(one[key])) for key, text in _RANGES if key in one)
    return f"{kind} {limits}".strip()


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _default(given: Mapping[str, Any]) -> str:
    if "default" not in given:
        return ""
    return "none" if given["default"] is None else f"`{json.dumps(given['default'])}`"


def _what(given: Mapping[str, Any]) -> str:
    return shown(description(given))


def description(given: Mapping[str, Any]) -> str:
    """Of a property; of one that is one of several, what the first that is described says."""
    of_parts = (part["description"] for part in given.get("anyOf", ()) if "description" in part)
    text: str = given.get("description") or next(of_parts, "")
    return text


def shown(text: str) -> str:
    """Prose of a docstring as Markdown that stands in a table's cell."""
    joined = " ".join(text.split())
    return _RST.sub(r"`\1`", joined).replace("|", "\\|")
