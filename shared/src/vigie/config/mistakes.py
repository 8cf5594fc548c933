"""Every mistake of a desired document at once, each with its path and a sentence; not only the first."""

from __future__ import annotations

import copy
import re
from typing import Any, NamedTuple

import msgspec

from vigie.config import wording

MISTAKES_MAX = 32
_ANY_ENTRY = "..."
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_AT_PATH = re.compile(r"^(?P<what>.*?)(?: - at (?P<key>`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<field>.*)`$", re.DOTALL)


class Mistake(NamedTuple):
    """``keys``: where it is, from the top; ``reason``: what is expected there and what was found."""

    keys: tuple[str, ...]
    reason: str

    @property
    def path(self) -> str:
        return "$" + "".join(f"[{key}]" if key.isdigit() else f".{key}" for key in self.keys)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def mistakes(kind: type[Any], document: Any) -> list[Mistake]:
    """Empty if ``document`` decodes as ``kind``. What is wrong is left out and the rest looked at again."""
    found: list[Mistake] = []
    rest = copy.deepcopy(document)
    for _ in range(MISTAKES_MAX):
        try:
            msgspec.convert(rest, kind, strict=True)
        except msgspec.ValidationError as error:
            mistake, culprit = _explained(kind, rest, str(error))
            found.append(mistake)
            if not culprit or not _leave_out(rest, culprit):
                break
        else:
            break
    return found


def _explained(kind: type[Any], document: Any, text: str) -> tuple[Mistake, tuple[str, ...]]:
    """The mistake, and the keys of what to leave out to find the next one."""
    match = _AT_PATH.match(text)
    what, path = (match["what"], match["path"] or "$") if match else (text, "$")
    keys = _named(kind, document, text, _steps(path, of_key=bool(match and match["key"])))
    schema, definitions = _schema(kind)
    here = wording.at(schema, definitions, keys)
    if unknown := _UNKNOWN.match(what):
        known = [name for one in wording.alternatives(here or {}, definitions) for name in one.get("properties", {})]
        hint = wording.nearest(unknown["field"], known)
        listed = f" (there are: {', '.join(known)})" if known and not hint else ""
        return Mistake((*keys, unknown["field"]), f"unknown property{hint}{listed}"), (*keys, unknown["field"])
    if missing := _MISSING.match(what):
        return Mistake((*keys, missing["field"]), "required property is missing"), keys
    if match and match["key"]:
        mapping = wording.at(schema, definitions, keys[:-1]) or {}
        names = [one["propertyNames"] for one in wording.alternatives(mapping, definitions) if "propertyNames" in one]
        words = wording.expected({"type": "string", **names[0]}, definitions) if names else "another one"
        return Mistake(keys, f"is not a valid name; expected {words}"), keys
    value = _value(document, keys)
    if here is None or what[:1].islower():  # our own check's words; msgspec's begin with a capital
        return Mistake(keys, what[:1].lower() + what[1:]), keys
    near = ""
    for one in wording.alternatives(here, definitions):
        if "enum" in one and isinstance(value, str):
            near = wording.nearest(value, map(str, one["enum"]))
    return Mistake(keys, f"expected {wording.expected(here, definitions)}, got {wording.got(value)}{near}"), keys


def _schema(kind: type[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    schema = msgspec.json.schema(kind)
    return schema, schema.get("$defs", {})


def _steps(path: str, *, of_key: bool) -> list[str]:
    steps = [name or index or _ANY_ENTRY for name, index, _ in _STEP.findall(path)]
    return [*steps, _ANY_ENTRY] if of_key else steps


def _named(kind: type[Any], document: Any, text: str, steps: list[str]) -> tuple[str, ...]:
    """Msgspec writes ``[...]`` for an entry of a mapping: find the one that alone gives the same ``text``."""
    keys: list[str] = []
    for step in steps:
        if step != _ANY_ENTRY:
            keys.append(step)
            continue
        entries = _value(document, keys)
        names = entries if isinstance(entries, dict) else {}
        name = next((name for name in names if _refusal(kind, _only(document, keys, name)) == text), None)
        if name is None:
            break
        keys.append(name)
    return tuple(keys)


def _refusal(kind: type[Any], document: Any) -> str:
    try:
        msgspec.convert(document, kind, strict=True)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _only(document: Any, keys: list[str], name: str) -> Any:
    """``document`` with no other entry than ``name`` in the mapping at ``keys``."""
    if not keys:
        return {name: document[name]}
    inner = document[int(keys[0])] if isinstance(document, list) else document[keys[0]]
    only = _only(inner, keys[1:], name)
    return [only] if isinstance(document, list) else {**document, keys[0]: only}


def _value(document: Any, keys: Any) -> Any:
    for key in keys:
        if isinstance(document, list):
            document = document[int(key)] if key.isdigit() and int(key) < len(document) else None
        else:
            document = document.get(key) if isinstance(document, dict) else None
    return document


def _leave_out(document: Any, keys: tuple[str, ...]) -> bool:
    parent = _value(document, keys[:-1])
    if isinstance(parent, dict) and keys[-1] in parent:
        del parent[keys[-1]]
        return True
    if isinstance(parent, list) and keys[-1].isdigit() and int(keys[-1]) < len(parent):
        # The whole list: its later indices would name other items than the operator wrote.
        return _leave_out(document, keys[:-1])
    return False
