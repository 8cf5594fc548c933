"""Each module as an interface of the Digital Twins Definition Language, version 3: what IoT Plug and Play tools read.

Made of the same types as the JSON Schemas, which say more: DTDL has no ranges, no defaults and no unions, and nothing
below the fifth level: what lies deeper is left out, and named in the description of what it belongs to.
Source: https://github.com/Azure/opendigitaltwins-dtdl/blob/master/DTDL/v3/DTDL.v3.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.schema_tables import description, resolved_schema

CONTEXT = "dtmi:dtdl:context;3"
_NAME = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9_]*[a-zA-Z0-9])?")
_TEXT_MAX = 512
# Levels of arrays, maps and objects.
_DEEP = 5
_PLAIN = {"integer": "long", "number": "double", "boolean": "boolean", "string": "string"}
Json = dict[str, Any]
Method = tuple[str, Json | None, Json | None]


def interface(module: str, twin: Json, methods: Sequence[Method]) -> Json:
    """The interface of ``module``: its desired properties (``twin``, a JSON Schema), writable, and its direct methods.

    Args: methods: name, JSON Schema of the request and of the reply; None: takes or tells nothing.
    Raises: ManifestError: a schema that DTDL cannot express.
    """
    shapes = _Shapes(module, twin.get("$defs", {}))
    top = shapes.resolved(twin)
    fields, lacking = shapes.fields(top, "$", _DEEP)
    contents = [{"@type": "Property", **one, "writable": True} for one in fields]
    return {
        "@context": CONTEXT,
        "@id": f"dtmi:vigie:{module};{_number(version('vigie-devkit'))}",
        "@type": "Interface",
        "displayName": f"Vigie {module}",
        **_described(top, lacking),
        "contents": [*contents, *(_command(module, method) for method in methods)],
    }


def _command(module: str, method: Method) -> Json:
    name, request, reply = method
    command: Json = {"@type": "Command", "name": name}
    for member, given in (("request", request), ("response", reply)):
        if given is None:
            continue
        shapes = _Shapes(f"{module}.{name}", given.get("$defs", {}))
        found = shapes.schema(given, "$", _DEEP) if shapes.resolved(given).get("properties") else None
        if found is not None:
            command[member] = {"name": member, "schema": found}
    return command


class _Shapes:
    def __init__(self, where: str, definitions: Mapping[str, Any]) -> None:
        self._where, self._definitions = where, definitions

    def name(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ManifestError(
                self._where, f"{name!r} is not a name in DTDL", "rename it: letters, digits, underscores"
            )
        return name

    def resolved(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return resolved_schema(given, self._definitions)

    def schema(self, given: Mapping[str, Any], path: str, room: int) -> str | Json | None:
        """A primitive by its word, or a complex schema; None: deeper than ``room`` levels.

        Null is absence, in DTDL as in a twin.
        """
        one = self.resolved(given)
        if "anyOf" in one:
            parts = [part for part in map(self.resolved, one["anyOf"]) if part != {"type": "null"}]
            return self._of_several(parts, path, room)
        if "enum" in one:
            return self._enum(one["enum"], path)
        kind = one.get("type")
        if kind not in {"array", "object"}:
            # Anything at all: as its JSON text.
            return _PLAIN.get(str(kind), "string")
        if room < 1:
            return None
        if kind == "object":
            return self._object(one, path, room)
        element = self._element(one, path, room - 1)
        return None if element is None else {"@type": "Array", "elementSchema": element}

    def fields(self, one: Mapping[str, Any], path: str, room: int) -> tuple[list[Json], list[str]]:
        """Members of an object, and the names of those that lie too deep."""
        found, lacking = [], []
        for name, given in one["properties"].items():
            schema = self.schema(given, f"{path}.{name}", room)
            if schema is None:
                lacking.append(name)
            else:
                below = self._lacking_below(given, path, room)
                found.append({"name": self.name(name), **_described(given, below), "schema": schema})
        return found, lacking

    def _lacking_below(self, given: Mapping[str, Any], path: str, room: int) -> list[str]:
        """What is left out of the objects that a member holds directly, in a map or in a list."""
        one = self.resolved(given)
        while room > 0 and not one.get("properties"):
            inner = one.get("additionalProperties") or one.get("items")
            if not isinstance(inner, Mapping):
                return []
            one, room = self.resolved(inner), room - 1
        return self.fields(one, path, room - 1)[1] if room > 0 and one.get("properties") else []

    def _of_several(self, parts: list[Mapping[str, Any]], path: str, room: int) -> str | Json | None:
        schemas = [self.schema(part, path, room) for part in parts]
        if all(one == schemas[0] for one in schemas):
            return schemas[0]
        if all(one in ("long", "double") for one in schemas):
            return "double"
        raise ManifestError(f"{self._where} {path}", "is one of several types, which DTDL has not", "give it one type")

    def _enum(self, values: Sequence[Any], path: str) -> Json:
        if not all(isinstance(value, str) for value in values):
            raise ManifestError(f"{self._where} {path}", "has allowed values that are not text", "use texts")
        named = [{"name": _enum_name(value), "enumValue": value} for value in values]
        return {"@type": "Enum", "valueSchema": "string", "enumValues": named}

    def _element(self, one: Mapping[str, Any], path: str, room: int) -> str | Json | None:
        if "prefixItems" in one:
            return self._of_several(list(map(self.resolved, one["prefixItems"])), f"{path}[]", room)
        return self.schema(one["items"], f"{path}[]", room) if isinstance(one.get("items"), Mapping) else "string"

    def _object(self, one: Mapping[str, Any], path: str, room: int) -> Json | None:
        if one.get("properties"):
            fields, _ = self.fields(one, path, room - 1)
            return {"@type": "Object", "fields": fields} if fields else None
        inner = one.get("additionalProperties")
        value = self.schema(inner, f"{path}.<name>", room - 1) if isinstance(inner, Mapping) else "string"
        if value is None:
            return None
        return {
            "@type": "Map",
            "mapKey": {"name": "name", "schema": "string"},
            "mapValue": {"name": "value", "schema": value},
        }


def _described(given: Mapping[str, Any], lacking: Sequence[str] = ()) -> Json:
    joined = " ".join(description(given).split())
    more = f" Too deep for DTDL, see the JSON Schema: {', '.join(lacking)}." if lacking else ""
    if len(joined) + len(more) > _TEXT_MAX:
        joined = f"{joined[: _TEXT_MAX - 3 - len(more)]}..."
    return {"description": f"{joined}{more}".strip()} if joined or more else {}


def _enum_name(value: str) -> str:
    """A name for a value that may begin with a digit or hold a dash."""
    name = re.sub(r"[^a-zA-Z0-9]+", "_", value).strip("_") or "none"
    return name if name[0].isalpha() else f"v{name}"


def _number(of: str) -> int:
    """A version as the one number that a DTMI has: 1.2.3 is 10203."""
    major, minor, patch = (int(re.match(r"\d+", part)[0]) for part in of.split(".")[:3])  # type: ignore[index] # a version begins with digits
    return major * 10_000 + minor * 100 + patch
