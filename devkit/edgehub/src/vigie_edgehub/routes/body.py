"""``$body.path``: the JSON body of a message, as edgeHub's routes read it.

Source: edgeHub, Message.cs, JsonMessageQueryValueProvider.cs, JsonPath.g4; dates as Newtonsoft.Json reads them.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from vigie_edgehub.routes.values import Null, Value

BodyDocument: TypeAlias = dict[str, Any]
BodyPath: TypeAlias = tuple[str | int, ...]

_ENCODINGS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_MEMBER = re.compile(r"""([^()<>@,;:\\"/\[\]?={}.\s]+)((?:\[[0-9]+\])*)""")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?(?:Z|[+-]\d\d:\d\d)?|/Date\([+-]?\d+(?:[+-]\d{4})?\)/")


def parse_body_path(path: str) -> BodyPath | None:
    """``a.b[0].c`` as its steps; None where edgeHub's path grammar does not take it."""
    steps: list[str | int] = []
    for part in path.split("."):
        found = _MEMBER.fullmatch(part)
        if found is None or found[1].isdecimal() or "*" in found[1]:
            return None
        steps.append(found[1])
        steps += [int(index[:9]) for index in re.findall(r"[0-9]+", found[2])]
    return tuple(steps)


def open_body(body: bytes, content_type: str | None, content_encoding: str | None) -> BodyDocument | None:
    """The body as a JSON object, or None; never an exception, whatever the bytes are."""
    encoding = _ENCODINGS.get((content_encoding or "").lower())
    if encoding is None or (content_type or "").lower() != "application/json":
        return None
    try:
        document = msgspec.json.decode(body.decode(encoding, "replace"))
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def find(document: BodyDocument | None, path: BodyPath) -> Value:
    """The value at ``path``: null where there is none, undefined for objects, arrays and dates."""
    if document is None:
        return None
    here: Any = document
    for step in path:
        if isinstance(step, str):
            if not isinstance(here, dict) or step not in here:
                return Null.ABSENT
        elif not isinstance(here, list) or step >= len(here):
            return Null.ABSENT
        here = here[step]
    return _value(here)


def _value(found: Any) -> Value:
    if found is None:
        return Null.WRITTEN
    if isinstance(found, bool):
        return found
    if isinstance(found, int | float):
        try:
            return float(found)
        except OverflowError:
            return float("inf") if found > 0 else float("-inf")
    if isinstance(found, str) and not _is_date(found):
        return found
    return None


def _is_date(text: str) -> bool:
    """Newtonsoft.Json turns what looks like a date into one, and a route cannot compare a date with anything."""
    if not _DATE.fullmatch(text):
        return False
    if text.startswith("/"):
        return True
    try:
        datetime.fromisoformat(text[:19])
    except ValueError:
        return False
    return True
