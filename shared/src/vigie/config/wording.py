"""What a property takes, as a sentence for operators: types, ranges, allowed values, the nearest name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from vigie.source_url import redact

Schema = Mapping[str, Any]

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "nothing",
}
_RANGES = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "less than {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("maxProperties", "at most {} entries"),
)
# A pattern is for programs; each that a schema of ours holds has its words here (a test looks).
PATTERNS = {
    "^[a-z0-9][a-z0-9_-]*$": "lower-case letters, digits, '-' and '_', a letter or digit first",
    "^[A-Za-z0-9][A-Za-z0-9._-]*$": "letters, digits, '.', '-' and '_', a letter or digit first",
    "^[A-Za-z0-9][A-Za-z0-9._+-]*$": "letters, digits, '.', '-', '_' and '+', a letter or digit first",
    "^[0-9a-f]{64}$": "64 lower-case hexadecimal digits",
    "^([01][0-9]|2[0-3]):[0-5][0-9]$": "a time of day such as 22:30",
    "^[A-Za-z0-9_+/-]+$": "letters, digits, '_', '+', '/' and '-'",
    r"^/[^:\s]+$": "an absolute path without ':' and blanks",
    r"^(https?|grpcs?)://[^@?#\s]+$": "http(s)://host[:port][/path] or grpc(s)://host:port, no user, no query",
}
_SHOWN_MAX = 60


def expected(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """``a whole number, at least 1 and at most 120``; alternatives joined by "or", null left out."""
    parts = [one for one in alternatives(schema, definitions) if one.get("type") != "null"]
    return " or ".join(dict.fromkeys(map(_one, parts))) or "nothing"


def _one(schema: Schema) -> str:
    if "enum" in schema:
        return f"one of {', '.join(str(value) for value in schema['enum'])}"
    kind = _KINDS.get(str(schema.get("type", "")), "a value")
    limits = [text.format(_number(schema[key])) for key, text in _RANGES if key in schema]
    words = PATTERNS.get(schema.get("pattern", ""))
    limits += [words] if words else []
    return f"{kind}, {' and '.join(limits)}" if limits else kind


def got(value: Any) -> str:
    """The refused value as JSON, shortened, without what may be a secret in a URL: this text is reported upstream."""
    text = redact(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 3]}..."


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'fps'?``, empty where nothing is near."""
    close = get_close_matches(name.lower(), list(known), 1, 0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def at(schema: Schema, definitions: Mapping[str, Schema], keys: Iterable[str]) -> Schema | None:
    """The schema of the value below ``keys``; None where it has none."""
    found: Schema | None = schema
    for key in keys:
        inner = None
        for one in alternatives(found or {}, definitions):
            inner = one.get("properties", {}).get(key) or _of_any(one, key)
            if inner is not None:
                break
        if not isinstance(inner, Mapping):
            return None
        found = inner
    return found


def _of_any(schema: Schema, key: str) -> Schema | None:
    entries = schema.get("items") if key.isdigit() else schema.get("additionalProperties")
    return entries if isinstance(entries, Mapping) else None


def alternatives(schema: Schema, definitions: Mapping[str, Schema]) -> list[Schema]:
    """The schemas of which one must fit, references followed."""
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return [one for part in schema["anyOf"] for one in alternatives(part, definitions)]
    return [schema]


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
