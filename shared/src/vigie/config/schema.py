"""Desired properties to one frozen struct, with refusals that name the path; and the struct as JSON Schema."""

from __future__ import annotations

import inspect
import re
from typing import Any, TypeVar

import msgspec

from vigie.errors import ConfigRefusedError

C = TypeVar("C")

_AT_PATH = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL)
_ANY_KEY = "[...]"  # what msgspec writes for a value of a mapping
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<field>.*)`$", re.DOTALL)


def decode_config(config_type: type[C], desired: dict[str, Any]) -> C:
    """Decode a desired document (without ``$version``) into ``config_type``.

    Raises: ConfigRefusedError: unknown key, wrong type, out of range; ``path`` like ``$.cameras.dock.fps``.
    """
    try:
        return msgspec.convert(desired, config_type, strict=True)
    except msgspec.ValidationError as error:
        path, reason = explain(error)
        raise ConfigRefusedError(_with_names(path, config_type, desired), reason) from error


def config_schema(config_type: type[Any]) -> dict[str, Any]:
    """The JSON Schema that operators and editors can check a twin with."""
    return json_schema(config_type)


def json_schema(kind: type[Any]) -> dict[str, Any]:
    """Msgspec's JSON Schema, the same by every Python: 3.13 and newer drop a docstring's indentation themselves."""
    schema: dict[str, Any] = _clean(msgspec.json.schema(kind))
    return schema


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: inspect.cleandoc(inner) if key == "description" and isinstance(inner, str) else _clean(inner)
            for key, inner in value.items()
        }
    return [_clean(item) for item in value] if isinstance(value, list) else value


def config_defaults(config_type: type[C]) -> dict[str, Any]:
    """The desired properties that mean "all defaults", as they stand in the manifest.

    Raises: ConfigRefusedError: a property has no default.
    """
    builtins = msgspec.to_builtins(decode_config(config_type, {}))
    if not isinstance(builtins, dict):
        raise ConfigRefusedError("$", f"expected an object of properties, got {config_type.__name__}")
    return builtins


def explain(error: msgspec.ValidationError) -> tuple[str, str]:
    """Path and reason of a refusal of msgspec; an unknown key becomes part of the path."""
    match = _AT_PATH.match(str(error))
    what, path = (match["what"], match["path"] or "$") if match else (str(error), "$")
    if unknown := _UNKNOWN.match(what):
        return f"{path}.{unknown['field']}", "unknown property; remove it or correct its name"
    if missing := _MISSING.match(what):
        return f"{path}.{missing['field']}", "required property is missing"
    return path, what[:1].lower() + what[1:]


def _with_names(path: str, config_type: type[Any], desired: dict[str, Any]) -> str:
    """``$.cameras[...].fps`` as ``$.cameras.dock.fps``: the key whose value alone is refused in the same way."""
    while _ANY_KEY in path:
        before, _, after = path.partition(_ANY_KEY)
        keys = [key for key in before.removeprefix("$").split(".") if key]
        mapping: Any = desired
        for key in keys:
            mapping = mapping.get(key) if isinstance(mapping, dict) else None
        name = next((name for name in mapping or () if _refuses(config_type, desired, keys, name)), None)
        if name is None:
            return path
        path = f"{before}.{name}{after}"
    return path


def _refuses(config_type: type[Any], desired: dict[str, Any], keys: list[str], name: str) -> bool:
    def only(value: dict[str, Any], rest: list[str]) -> dict[str, Any]:
        return {**value, rest[0]: only(value[rest[0]], rest[1:])} if rest else {name: value[name]}

    try:
        msgspec.convert(only(desired, keys), config_type, strict=True)
    except msgspec.ValidationError:
        return True
    return False
