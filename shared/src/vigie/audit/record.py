"""What a line of the audit log says: one twin version, one method call, or something about the log itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from vigie.log import redact

CHANGES_MAX = 64
_CHARACTERS = 300

Kind = Literal["start", "twin", "method", "lost", "removed", "recovered"]


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"before": "from", "after": "to"}):
    """A property that took effect: its path, what was in force, what is now; values as JSON text, redacted."""

    path: str
    before: str
    after: str


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A property that did not take effect: its path, what was asked for (JSON text, redacted), and why not."""

    path: str
    asked: str
    reason: str


class AuditEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Something to be recorded; fields of other kinds are left out.

    twin: ``version``, ``since`` (the version in force before), ``result``, ``changed``, ``refused``, ``more`` (how many
    of both are not listed). method: ``method``, ``request``, ``status``, ``error``. start: ``software``. lost:
    ``more``, how many entries could not be written. removed: ``file`` and the ``last`` number that it held.
    recovered: ``error``, what was found when the log was opened.
    """

    kind: Kind
    version: int | None = None
    since: int | None = None
    result: Literal["", "accepted", "partly", "refused", "failed"] = ""
    changed: tuple[Change, ...] = ()
    refused: tuple[Refusal, ...] = ()
    more: int = 0
    method: str = ""
    request: str = ""
    status: int | None = None
    error: str = ""
    software: str = ""
    file: str = ""
    last: int | None = None


def told(value: Any, limit: int = _CHARACTERS) -> str:
    """A value for people, as JSON without credentials; ``limit`` characters of it."""
    text = redact(value if isinstance(value, str) else _json(value))
    # A lone surrogate came as \\ud800 in somebody's JSON; no line of ours could be written with it.
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def twin_entry(
    version: int,
    since: int | None,
    changed: Sequence[tuple[str, Any, Any]],
    refused: Sequence[tuple[str, Any, str]],
    *,
    failed: bool = False,
    whole: bool = False,
) -> AuditEntry:
    """One version of the desired properties.

    Args: changed: path, value before, value now. refused: path, value asked for, reason. failed: it was refused for a
        fault of the module's own. whole: nothing of it took effect.
    """
    result: Literal["accepted", "partly", "refused", "failed"] = "accepted"
    if refused:
        result = "failed" if failed else "refused" if whole else "partly"
    shown = tuple(Change(told(path), told(was), told(now)) for path, was, now in changed[:CHANGES_MAX])
    against = tuple(
        Refusal(told(path), told(asked), told(reason, 1000)) for path, asked, reason in refused[:CHANGES_MAX]
    )
    more = len(changed) - len(shown) + len(refused) - len(against)
    return AuditEntry(
        kind="twin", version=version, since=since, result=result, changed=shown, refused=against, more=more
    )


def method_entry(name: str, payload: Any, status: int, reply: Any) -> AuditEntry:
    """One direct method call: what was asked, and the status; of the reply only the error."""
    error = reply.get("error", "") if status != 200 and isinstance(reply, Mapping) else ""
    return AuditEntry(
        kind="method", method=told(name, 200), request=told(payload), status=status, error=told(error, 1000)
    )


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return repr(value)


def asked_for(properties: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """The value at ``keys`` of a desired document; None where there is none."""
    value: Any = properties
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
