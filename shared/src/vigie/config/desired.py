"""A twin's desired side as values: merge patches, versions, Plug and Play acknowledgements. No clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

Json = dict[str, Any]

ACCEPTED = 200
REFUSED = 400
FAILED = 500

_AD_LIMIT = 1_000  # a twin string may hold 4,096 bytes; a reason longer than this helps nobody

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Desired:
    """One version of the desired properties; ``properties`` is without ``$`` members."""

    version: int
    properties: Json

    @classmethod
    def from_document(cls, document: Json) -> Desired:
        """From the ``desired`` member of a full twin."""
        return cls(int(document.get("$version", 0)), _without_meta(document))


class VersionGapError(Exception):
    """A patch that does not follow the version we hold: only the full twin helps. Never leaves the feed."""


def apply_patch(desired: Desired, patch: Json) -> Desired:
    """Apply a desired patch (RFC 7386, with ``$version``); an old or repeated one changes nothing.

    Raises: VersionGapError: the patch is not the next version, or has none.
    """
    version = patch.get("$version")
    if not isinstance(version, int) or version > desired.version + 1:
        raise VersionGapError
    if version <= desired.version:
        return desired
    return Desired(version, merge(desired.properties, _without_meta(patch)))


def merge(target: Json, patch: Json) -> Json:
    """JSON merge patch: objects recurse, null removes, anything else (arrays too) replaces whole. Inputs are kept."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            before = merged.get(key)
            merged[key] = merge(before if isinstance(before, dict) else {}, value)
        else:
            merged[key] = value
    return merged


@dataclass(slots=True)
class Acknowledgements:
    """What to report for each top-level property; knows what is in force, so that a refusal shows the value kept."""

    reported: dict[str, Json] = field(default_factory=dict)

    def accepted(self, desired: Desired, config: object) -> Json:
        """The patch after ``config`` took effect: 200 for each property desired, null for those no longer desired."""
        in_force = _properties(config)
        patch: Json = {name: _ack(in_force.get(name), ACCEPTED, desired.version, "") for name in desired.properties}
        gone: Json = {name: None for name in self.reported if name not in patch}
        self.reported = patch
        return patch | gone

    def refused(self, desired: Desired, config: object | None, path: str, reason: str, *, code: int = REFUSED) -> Json:
        """The patch after a refusal: ``code`` for what was desired but is not in force; the rest keeps its word."""
        in_force = _properties(config)
        at_fault = path.removeprefix("$.").partition(".")[0].partition("[")[0]
        patch: Json = {}
        for name, value in desired.properties.items():
            if name == at_fault or path == "$":
                patch[name] = _ack(in_force.get(name), code, desired.version, f"{path}: {reason}")
            elif name not in in_force or not _same(value, in_force[name]):
                text = f"not applied, because of {path}: {reason}"
                patch[name] = _ack(in_force.get(name), code, desired.version, text)
        self.reported = {**self.reported, **patch}
        return patch


def _ack(value: Any, code: int, version: int, description: str) -> Json:
    # A null would remove "value" from the reported properties: a property that is not in force has none to show.
    shown = {} if value is None else {"value": _without_nulls(value)}
    return {**shown, "ac": code, "av": version, "ad": description[:_AD_LIMIT]}


def _same(desired: Any, in_force: Any) -> bool:
    # In force holds every default too: a desired object agrees if what it names agrees.
    if isinstance(desired, dict) and isinstance(in_force, dict):
        return all(key in in_force and _same(value, in_force[key]) for key, value in desired.items())
    return bool(desired == in_force)


def _properties(config: object | None) -> Json:
    if config is None:
        return {}
    builtins = msgspec.to_builtins(config)
    return builtins if isinstance(builtins, dict) else {}


def _without_meta(document: Json) -> Json:
    return {key: value for key, value in document.items() if not key.startswith("$")}


def _without_nulls(value: S) -> S | Json | list[Any]:
    # edgeHub refuses a reported array that holds null, and a null member means "remove".
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value if item is not None]
    return value
