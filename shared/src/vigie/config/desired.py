"""A twin's desired side as values: merge patches, versions, Plug and Play acknowledgements. No clock, no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from vigie.config.mistakes import Mistake

Json = dict[str, Any]

ACCEPTED = 200
REFUSED = 400
FAILED = 500

DEFAULT_IN_FORCE = "not set: the default is in force"

_AD_LIMIT = 1_000  # a twin string may hold 4,096 bytes; a reason longer than this helps nobody

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desired:
    """One version of the desired properties; ``properties`` is without ``$`` members."""

    version: int
    properties: Json

    @classmethod
    def from_document(cls, document: Json) -> Desired:
        """From the ``desired`` member of a full twin."""
        return cls(int(document.get("$version", 0)), _without_meta(well_formed(document)))


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
    return Desired(version, merge(desired.properties, _without_meta(well_formed(patch))))


def well_formed(tree: T) -> T:
    """JSON of others as UTF-8 can hold it: half a character (a lone surrogate) becomes ``?``.

    Otherwise it would fail where it is first written: the acknowledgement, the log, the copy on disk.
    """
    try:
        msgspec.json.encode(tree)
    except UnicodeEncodeError:
        whole: T = json.loads(json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace"))
        return whole
    except (OverflowError, RecursionError):  # a number or a depth that no property allows: refused by its path
        pass
    return tree


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

    def remember(self, reported: Json) -> None:
        """Take what the twin holds of an earlier start, so that what is no longer so is removed from it."""
        for name, value in reported.items():
            if isinstance(value, dict) and {"ac", "av"} <= value.keys():
                self.reported.setdefault(name, value)

    def accepted(
        self, desired: Desired, config: object, mistakes: Sequence[Mistake] = (), notes: Mapping[str, str] | None = None
    ) -> Json:
        """The patch after ``config`` took effect, all but ``mistakes``: those are 400 by path, the rest 200.

        ``notes``: what to add about a property, by its name.

        A property that is no longer desired is acknowledged with the default that is now in force; one that the module
        does not know is removed. Members of a value that are gone are removed with null.
        """
        in_force = _properties(config)
        after: dict[str, Json] = {}
        for name in desired.properties:
            at_fault = [one for one in mistakes if one.keys[:1] == (name,)]
            text = "; ".join(map(str, at_fault))
            if any(len(one.keys) > 1 for one in at_fault) and _partly(desired.properties[name], in_force.get(name)):
                text += "; the other entries are in force"
            text = "; ".join(filter(None, (text, (notes or {}).get(name, ""))))
            after[name] = _ack(in_force.get(name), REFUSED if at_fault else ACCEPTED, desired.version, text)
        for name, before in self.reported.items():
            if name not in after and name in in_force:
                still = before if before.get("ad") == DEFAULT_IN_FORCE else {}
                version = int(still.get("av", desired.version))
                after[name] = _ack(in_force[name], ACCEPTED, version, DEFAULT_IN_FORCE)
        return self._patch_to(after)

    def refused(self, desired: Desired, config: object | None, path: str, reason: str, *, code: int = REFUSED) -> Json:
        """The patch after a refusal: ``code`` for what was desired but is not in force; the rest keeps its word."""
        in_force = _properties(config)
        at_fault = path.removeprefix("$.").partition(".")[0].partition("[")[0]
        after: dict[str, Json] = dict(self.reported)
        for name, value in desired.properties.items():
            if name == at_fault or path == "$":
                after[name] = _ack(in_force.get(name), code, desired.version, f"{path}: {reason}")
            elif name not in in_force or not _same(value, in_force[name]):
                text = f"not applied, because of {path}: {reason}"
                after[name] = _ack(in_force.get(name), code, desired.version, text)
        return self._patch_to(after)

    def _patch_to(self, after: dict[str, Json]) -> Json:
        patch = with_removals(self.reported, after)
        self.reported = after
        return patch


def with_removals(before: Json, after: Json) -> Json:
    """The patch that turns ``before`` into ``after``: all of ``after``, and null for every member that is gone."""
    patch: Json = {key: None for key in before if key not in after}
    for key, value in after.items():
        former = before.get(key)
        patch[key] = with_removals(former, value) if isinstance(value, dict) and isinstance(former, dict) else value
    return patch


def changes(before: object | None, after: object) -> list[tuple[str, Any, Any]]:
    """Path, former value, new value of every leaf that differs between two configurations, in order."""
    return list(_changes("$", _properties(before), _properties(after)))


def _changes(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _changes(f"{path}.{key}", before.get(key), after.get(key))
    elif before != after:
        yield path, before, after


def _partly(desired: Any, in_force: Any) -> bool:
    return isinstance(desired, dict) and isinstance(in_force, dict) and bool(in_force.keys() & desired.keys())


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
