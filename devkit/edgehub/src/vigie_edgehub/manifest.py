"""A deployment template or manifest, read: which modules there are and what each is to be told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from vigie.module_ids import MODULE_ID_RULE, is_module_id
from vigie_edgehub.ports import Json, JsonObject, ManifestRefusedError, TwinRefusedError
from vigie_edgehub.state.twin_limits import check_patch, check_size

EDGE_AGENT = "$edgeAgent"
EDGE_HUB = "$edgeHub"
DESIRED = "properties.desired"


class Manifest(msgspec.Struct, frozen=True):
    """``desired`` by module id; its keys are the identities of the device, `$edgeAgent` and `$edgeHub` among them.

    ``silent``: modules whose desired properties the manifest does not mention. Their twins stay as they are: only what
    a manifest names replaces a twin. Source: learn.microsoft.com, "Deploy modules and establish routes", desired
    properties.
    """

    desired: dict[str, dict[str, Any]]
    silent: frozenset[str] = frozenset()

    @property
    def modules(self) -> list[str]:
        return [name for name in self.desired if not name.startswith("$")]


def read_manifest_file(path: Path) -> JsonObject:
    """Raises: ManifestRefusedError: no such file, or no JSON object in it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # half a character could not be written again
    except OSError as error:
        raise ManifestRefusedError(f"manifest {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ManifestRefusedError(f"manifest {path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ManifestRefusedError(f"manifest {path}: expected a JSON object, got {type(content).__name__}")
    return content


def parse_manifest(content: Mapping[str, Json]) -> Manifest:
    """Take any wrapper with ``modulesContent`` apart. Raises: ManifestRefusedError, with the path."""
    sections = modules_content(content)
    desired: dict[str, dict[str, Any]] = {}
    silent: set[str] = set()
    for module, section in sections.items():
        desired[module] = _desired(module, section)
        if isinstance(section, dict) and not any(key.partition(".")[0] == "properties" for key in section):
            silent.add(module)
    agent = desired.get(EDGE_AGENT, {})
    unnamed = [module for module in _containers(agent) if module not in desired]
    desired.update({module: {} for module in unnamed})
    silent.update(unnamed)
    for module in desired:
        if not is_module_id(module):
            raise ManifestRefusedError(f"modulesContent: {module[:140]!r} is not a module id: {MODULE_ID_RULE}")
    desired.setdefault(EDGE_HUB, {})
    desired.setdefault(EDGE_AGENT, {})
    if "schemaVersion" not in desired[EDGE_HUB]:
        raise ManifestRefusedError("modulesContent has no '$edgeHub' with 'properties.desired' (schemaVersion, routes)")
    for module, section in desired.items():
        try:
            if module not in (
                EDGE_AGENT,
                EDGE_HUB,
            ):  # environment names and routes obey other rules than a module's keys
                check_patch(section, what=f"{module}: properties.desired")
            check_size(section, what=f"{module}: properties.desired")
        except TwinRefusedError as refusal:
            raise ManifestRefusedError(str(refusal)) from refusal
    return Manifest(desired, frozenset(silent - {EDGE_AGENT, EDGE_HUB}))


def _containers(agent: Mapping[str, Json]) -> list[str]:
    """Module ids of all that `$edgeAgent` runs, its own among them."""
    found: list[str] = []
    for place in ("systemModules", "modules"):
        listed = agent.get(place) or {}
        if not isinstance(listed, dict):
            raise ManifestRefusedError(f"$edgeAgent: {place} is not an object")
        found += [f"${name}" if place == "systemModules" else name for name in listed]
    return found


def modules_content(content: Mapping[str, Json]) -> dict[str, Json]:
    """The ``modulesContent`` inside any of its wrappers. Raises: ManifestRefusedError: it is missing."""
    inner: Json = content
    for wrapper in ("content", "configuration"):
        if isinstance(inner, dict) and isinstance(inner.get(wrapper), dict):
            inner = inner[wrapper]
    for name in ("modulesContent", "moduleContent"):
        if isinstance(inner, dict) and isinstance(inner.get(name), dict):
            found: dict[str, Json] = inner[name]
            return found
    raise ManifestRefusedError("expected an object with 'modulesContent', as a deployment manifest or template has")


def _desired(module: str, section: Json) -> dict[str, Any]:
    """``properties.desired`` and the dotted keys of layered deployments, which replace a subtree each."""
    if not isinstance(section, dict):
        raise ManifestRefusedError(f"modulesContent.{module}: expected an object, got {type(section).__name__}")
    whole = section.get(DESIRED, {})
    if not isinstance(whole, dict):
        raise ManifestRefusedError(f"modulesContent.{module}.{DESIRED}: expected an object")
    desired: dict[str, Any] = json.loads(json.dumps(whole))
    for key, value in section.items():
        if key.startswith(DESIRED + "."):
            *parents, last = key[len(DESIRED) + 1 :].split(".")
            place = desired
            for parent in parents:
                below = place.setdefault(parent, {})
                if not isinstance(below, dict):
                    raise ManifestRefusedError(f"modulesContent.{module}.{key}: {parent!r} is not an object")
                place = below
            place[last] = value
    return _without_nulls(desired)


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(child) if isinstance(child, dict) else child
        for key, child in value.items()
        if child is not None
    }
