"""Desired properties to one frozen struct, with refusals that name the path; and the struct as JSON Schema."""

from __future__ import annotations

import inspect
import re
from typing import Any, TypeVar

import msgspec

from vigie.config.mistakes import mistakes
from vigie.errors import ConfigRefusedError

C = TypeVar("C")

_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})

_AT_PATH = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<field>.*)`$", re.DOTALL)


def decode_config(config_type: type[C], desired: dict[str, Any]) -> C:
    """Decode a desired document (without ``$version``) into ``config_type``.

    Raises: ConfigRefusedError: unknown key, wrong type, out of range; ``path`` like ``$.cameras.dock.fps`` is that of
    the first mistake, the reason names all.
    """
    try:
        return msgspec.convert(desired, config_type, strict=True)
    except msgspec.ValidationError as error:
        found = mistakes(config_type, desired)
        first, *others = found
        reason = first.reason + "".join(f"; {one}" for one in others)
        raise ConfigRefusedError(first.path, reason) from error


def config_schema(config_type: type[Any]) -> dict[str, Any]:
    """The JSON Schema that operators and editors can check a twin with."""
    return json_schema(config_type)


def json_schema(kind: type[Any]) -> dict[str, Any]:
    """Msgspec's JSON Schema, the same by every Python and in every process.

    3.13 and newer drop a docstring's indentation themselves. ``typing`` keeps one of two types that compare equal, so
    that a bound written as 0 or as 0.0 elsewhere decides how this one reads.
    """
    schema: dict[str, Any] = _clean(msgspec.json.schema(kind))
    return schema


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _clean_member(key, inner) for key, inner in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


def _clean_member(key: str, value: Any) -> Any:
    if key == "description" and isinstance(value, str):
        return inspect.cleandoc(value)
    if key in _BOUNDS and isinstance(value, float) and value.is_integer():
        return int(value)
    return _clean(value)


def config_defaults(config_type: type[C]) -> dict[str, Any]:
    """The desired properties that mean "all defaults", as they stand in the manifest.

    Raises: ConfigRefusedError: a property has no default.
    """
    builtins = msgspec.to_builtins(decode_config(config_type, {}))
    if not isinstance(builtins, dict):
        raise ConfigRefusedError("$", f"expected an object of properties, got {config_type.__name__}")
    return builtins


def explain(error: msgspec.ValidationError) -> tuple[str, str]:
    """Path and reason of msgspec's refusal of a document that is not at hand; an unknown key ends the path."""
    match = _AT_PATH.match(str(error))
    what, path = (match["what"], match["path"] or "$") if match else (str(error), "$")
    if unknown := _UNKNOWN.match(what):
        return f"{path}.{unknown['field']}", "unknown property; remove it or correct its name"
    if missing := _MISSING.match(what):
        return f"{path}.{missing['field']}", "required property is missing"
    return path, what[:1].lower() + what[1:]
