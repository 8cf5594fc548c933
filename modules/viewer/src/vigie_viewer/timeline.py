"""What happened, as the statuses tell it: two of them compared give events. Codes and facts; the page has the words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from vigie.contracts import names
from vigie.contracts.demand import ModuleStatus

Tone = Literal["good", "bad", "change"]
STARTING_S = 60.0
# A twin change is shown path by path up to here; the rest is a count.
_PATHS_MAX = 12
_VALUE_MAX = 120
_STATE_TONES: dict[str, Tone] = {"streaming": "good", "failed": "bad"}


class Event(msgspec.Struct, frozen=True):
    """``at``: UTC milliseconds since 1970. ``code`` names a sentence of the page, ``facts`` are what it says."""

    at: int
    code: str
    tone: Tone
    module: str
    facts: dict[str, Any]


def compare(before: ModuleStatus | None, after: ModuleStatus, at: int) -> Iterator[Event]:
    """Events between two statuses of one module."""
    if before is None:
        return

    def event(code: str, tone: Tone, **facts: Any) -> Event:
        return Event(at, code, tone, after.module, facts)

    if before.boot != after.boot:
        yield event("restarted", "bad", version=after.version)
    elif before.twin_version != after.twin_version:
        # A module's first configuration is no change: everything would be new.
        changes = list(differences(before.desired, after.desired)) if before.twin_version is not None else []
        yield event("twin", "change", version=after.twin_version, changes=changes[:_PATHS_MAX],
                    more=max(0, len(changes) - _PATHS_MAX))  # fmt: skip
    for path, reason in _refused(after).items():
        if _refused(before).get(path) != reason:
            yield event("refused", "bad", path=path, reason=reason)
    yield from _readiness(before, after, at)
    if after.module == names.CAMERA:
        yield from _cameras(before, after, at)
    if after.module == names.INFERENCE:
        yield from _inference(before, after, at)


def _readiness(before: ModuleStatus, after: ModuleStatus, at: int) -> Iterator[Event]:
    if after.uptime_s < STARTING_S and before.missing and not after.missing:
        # A module that starts gets one part after the other: one line says it all.
        yield Event(at, "ready", "good", after.module, {})
        return
    for part in sorted(after.missing.keys() - before.missing.keys()):
        yield Event(at, "missing", "bad", after.module, {"part": part, "reason": after.missing[part]})
    for part in sorted(before.missing.keys() - after.missing.keys()) if after.uptime_s >= STARTING_S else ():
        yield Event(at, "there_again", "good", after.module, {"part": part})


def differences(before: Any, after: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """Paths whose value is another one, with both values as short text; None: it was, or is, not there."""
    if isinstance(before, dict | None) and isinstance(after, dict | None) and (before or after):
        was, now = before or {}, after or {}
        for key in sorted(was.keys() | now.keys()):
            yield from differences(was.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif before != after:
        yield {"path": path, "from": _short(before), "to": _short(after)}


def _short(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _VALUE_MAX else f"{text[: _VALUE_MAX - 1]}…"


def _refused(status: ModuleStatus) -> dict[str, str]:
    return {
        key: str(value.get("ad", ""))
        for key, value in status.reported.items()
        if isinstance(value, Mapping) and isinstance(value.get("ac"), int) and value["ac"] >= 400
    }


def _cameras(before: ModuleStatus, after: ModuleStatus, at: int) -> Iterator[Event]:
    tone: Tone
    was, now = before.reported.get("camera_state") or {}, after.reported.get("camera_state") or {}
    for name in sorted(was.keys() | now.keys()):
        old, new = was.get(name) or {}, now.get(name) or {}
        state = new.get("state", "removed")
        if old.get("state") != state:
            tone = _STATE_TONES.get(state, "change")
            yield Event(at, "camera", tone, after.module, {"camera": name, "state": state, "reason": new.get("reason")})
        if bool(old.get("frozen")) != bool(new.get("frozen")) and new:
            frozen = bool(new.get("frozen"))
            tone = "bad" if frozen else "good"
            yield Event(at, "frozen" if frozen else "moves", tone, after.module, {"camera": name})


def _inference(before: ModuleStatus, after: ModuleStatus, at: int) -> Iterator[Event]:
    was, now = (_of(status, "model_state").get("id") for status in (before, after))
    if was != now:
        yield Event(at, "model", "change", after.module, {"from": was, "to": now})
    was, now = (_of(_of_runtime(status), "serving").get("candidate") for status in (before, after))
    if was != now and now:
        yield Event(at, "engine", "change", after.module, {"from": was, "to": now})


def _of_runtime(status: ModuleStatus) -> dict[str, Any]:
    return _of(status, "runtime_state")


def _of(where: ModuleStatus | dict[str, Any], key: str) -> dict[str, Any]:
    found = (where.reported if isinstance(where, ModuleStatus) else where).get(key)
    return found if isinstance(found, dict) else {}
