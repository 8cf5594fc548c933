"""A layered deployment as the manifest that it would be alone: its dotted keys put where they belong."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from vigie_devkit.manifest.content import modules_content
from vigie_devkit.manifest.errors import ManifestError

_DESIRED = "properties.desired"
_EMPTY_HUB = {"schemaVersion": "1.2", "routes": {}, "storeAndForwardConfiguration": {"timeToLiveSecs": 7200}}


def is_layer(content: Mapping[str, Any]) -> bool:
    """Whether `$edgeAgent` or `$edgeHub` is set by dotted keys only: the base has the rest."""
    try:
        parts = modules_content(content)
    except ManifestError:
        return False
    system = [parts[name] for name in ("$edgeAgent", "$edgeHub") if isinstance(parts.get(name), dict)]
    return bool(system) and all(
        _DESIRED not in section and any(key.startswith(f"{_DESIRED}.") for key in section) for section in system
    )


def as_manifest(content: Mapping[str, Any]) -> dict[str, Any]:
    """With `$edgeAgent` and `$edgeHub` whole; other sections as they are."""
    parts = copy.deepcopy(modules_content(content))
    agent = _put(parts.get("$edgeAgent"), {"schemaVersion": "1.1", "modules": {}})
    hub = _put(parts.get("$edgeHub"), copy.deepcopy(_EMPTY_HUB))
    return {"modulesContent": {**parts, "$edgeAgent": {_DESIRED: agent}, "$edgeHub": {_DESIRED: hub}}}


def _put(section: object, desired: dict[str, Any]) -> dict[str, Any]:
    for key, value in section.items() if isinstance(section, dict) else ():
        place = desired
        *parents, last = key.removeprefix(f"{_DESIRED}.").split(".")
        for parent in parents:
            inner = place.setdefault(parent, {})
            if not isinstance(inner, dict):
                break
            place = inner
        place[last] = value
    return desired
