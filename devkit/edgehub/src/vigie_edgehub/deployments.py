"""Automatic deployments: which configurations target this device, and the manifest that they make together. Pure.

A configuration whose `$edgeAgent` has ``properties.desired`` is a base deployment, one with dotted keys only a layer.
Of the base deployments that target the device, the one of the highest priority counts, with every targeting layer of
a higher priority than it, lowest first; of two with one priority the newer one wins.
Source: learn.microsoft.com, "Understand IoT Edge automatic deployments for single devices or at scale".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from vigie_edgehub.manifest import DESIRED, EDGE_AGENT, modules_content
from vigie_edgehub.ports import Json, JsonObject, ManifestRefusedError
from vigie_edgehub.service.query import Condition, parse_query

MAX_CONFIGURATIONS = 100  # of an IoT Hub
_ALL_DEVICES = "SELECT * FROM devices WHERE "


class Configuration(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One automatic deployment as the operator wrote it. Times: seconds since the epoch."""

    id: str
    content: dict[str, Any]
    target_condition: str = ""
    priority: int = 0
    labels: dict[str, str] = {}
    metrics: dict[str, Any] = {}
    created_at: float = 0.0
    updated_at: float = 0.0
    etag: int = 1

    @property
    def layered(self) -> bool:
        agent = modules_content(self.content).get(EDGE_AGENT)
        return not (isinstance(agent, dict) and DESIRED in agent)


class Effective(msgspec.Struct, frozen=True):
    """``content``: a manifest; ``targeted`` and ``applied``: ids of configurations, the weakest first."""

    content: JsonObject
    targeted: tuple[str, ...]
    applied: tuple[str, ...]


def target_of(condition: str) -> Condition | None:
    """What ``condition`` tells of a device's twin; None: it targets nothing. Raises: QueryRefusedError."""
    text = condition.strip()
    if not text:
        return None
    return (lambda _: True) if text == "*" else parse_query(_ALL_DEVICES + text).matches


def effective(base: JsonObject, configurations: Iterable[Configuration], device_twin: JsonObject) -> Effective:
    """The manifest in force. Args: base: what was applied to this one device, used where no base deployment targets it.

    Raises: ManifestRefusedError: a configuration without modulesContent.
    """
    targeting = [one for one in configurations if (wanted := target_of(one.target_condition)) and wanted(device_twin)]
    targeting.sort(key=lambda one: (one.priority, one.created_at))
    bases = [one for one in targeting if not one.layered]
    content = json.loads(json.dumps(modules_content(bases[-1].content if bases else base)))
    floor = bases[-1].priority if bases else -1
    layers = [one for one in targeting if one.layered and one.priority > floor]
    for layer in layers:
        _lay(content, modules_content(layer.content))
    applied = tuple(one.id for one in [*bases[-1:], *layers])
    return Effective({"modulesContent": content}, tuple(one.id for one in targeting), applied)


def _lay(content: dict[str, Any], layer: Mapping[str, Json]) -> None:
    for module, section in layer.items():
        if not isinstance(section, dict):
            raise ManifestRefusedError(f"modulesContent.{module}: expected an object, got {type(section).__name__}")
        below = content.setdefault(module, {})
        if DESIRED in section:
            below.clear()
        for key, value in section.items():
            below.pop(key, None)  # to the end: a later key overrides what an earlier one set
            below[key] = value
