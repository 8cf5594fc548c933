"""Desired properties of ``$edgeHub`` to a configuration, all or nothing.

Source: edgeHub, EdgeHubConfigParser.cs, RouteSpecConverter.cs, RouteSpec.cs, StoreAndForwardConfiguration.cs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vigie_edgehub.errors import HubConfigRefusedError, RouteRefusedError
from vigie_edgehub.routes.table import DEFAULT_PRIORITY, Route, compile_route

_VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){1,3}", re.ASCII)
_NEWEST_MINOR = 3
_MAX_UINT32 = 2**32 - 1
_USUAL_TTL_S = 7_200  # what deployment templates say; schema 1.0 may leave the whole section out


@dataclass(frozen=True, slots=True)
class HubConfig:
    """``ttl_s``: of routes that name none; negative keeps for ever, 0 expires at once.

    ``max_store_bytes`` None: as much as the disk holds.
    """

    schema_version: str
    routes: tuple[Route, ...]
    ttl_s: int
    max_store_bytes: int | None = None


def parse_edgehub_desired(desired: Mapping[str, Any]) -> HubConfig:
    """Read ``desired`` (``$version`` and other members of a twin are ignored). Raises: HubConfigRefusedError."""
    version = _schema_version(desired)
    objects_allowed = version[1] >= 1
    routes = desired.get("routes")
    if routes is None and not objects_allowed:
        routes = {}
    if not isinstance(routes, Mapping):
        raise HubConfigRefusedError("$.routes", f"expected an object of routes, got {_kind(routes)}")
    ttl_s, max_store_bytes = _store_and_forward(desired.get("storeAndForwardConfiguration"), required=objects_allowed)
    compiled = []
    for name, value in routes.items():
        path = f"$.routes.{name}"
        if not objects_allowed and (value is None or (isinstance(value, str) and not value.strip())):
            continue
        if objects_allowed and not name.strip():
            raise HubConfigRefusedError("$.routes", "expected a name for every route, one is blank")
        text, priority, route_ttl_s = _route_members(path, value, objects_allowed=objects_allowed)
        try:
            compiled.append(compile_route(text, name=name, priority=priority, ttl_s=route_ttl_s))
        except RouteRefusedError as refusal:
            raise HubConfigRefusedError(path, str(refusal)) from refusal
    return HubConfig(str(desired["schemaVersion"]), tuple(compiled), ttl_s, max_store_bytes)


def _schema_version(desired: Mapping[str, Any]) -> tuple[int, int]:
    value = desired.get("schemaVersion")
    text = f"{value:g}" if isinstance(value, float) else str(value)
    if value is None or isinstance(value, bool) or not _VERSION.fullmatch(text):
        raise HubConfigRefusedError("$.schemaVersion", f'expected a version such as "1.1", got {_kind(value)}')
    major, minor = (int(part) for part in text.split(".")[:2])
    if major != 1 or minor > _NEWEST_MINOR:
        raise HubConfigRefusedError("$.schemaVersion", f"expected 1.0 to 1.{_NEWEST_MINOR}, got {text}")
    return major, minor


def _route_members(path: str, value: Any, *, objects_allowed: bool) -> tuple[str, int, int]:
    if isinstance(value, str):
        if not value.strip():
            raise HubConfigRefusedError(path, "expected a route, got a blank string")
        return value, DEFAULT_PRIORITY, 0
    if not objects_allowed or not isinstance(value, Mapping):
        wanted = "a route string or object" if objects_allowed else "a route string (objects need schemaVersion 1.1)"
        raise HubConfigRefusedError(path, f"expected {wanted}, got {_kind(value)}")
    text = value.get("route")
    if not isinstance(text, str) or not text.strip():
        raise HubConfigRefusedError(f"{path}.route", f"expected a route string, got {_kind(text)}")
    priority = value.get("priority", DEFAULT_PRIORITY)
    if not _is_integer(priority) or not (0 <= priority <= 9 or priority == DEFAULT_PRIORITY):
        raise HubConfigRefusedError(f"{path}.priority", f"expected 0 (first) to 9, got {_kind(priority)}")
    ttl_s = value.get("timeToLiveSecs", 0)
    if not _is_integer(ttl_s) or not 0 <= ttl_s <= _MAX_UINT32:
        raise HubConfigRefusedError(
            f"{path}.timeToLiveSecs", f"expected seconds from 1, or 0 for the global value, got {_kind(ttl_s)}"
        )
    return text, priority, ttl_s


def _store_and_forward(value: Any, *, required: bool) -> tuple[int, int | None]:
    path = "$.storeAndForwardConfiguration"
    if value is None and not required:
        return _USUAL_TTL_S, None
    if not isinstance(value, Mapping):
        raise HubConfigRefusedError(path, f'expected an object such as {{"timeToLiveSecs": 7200}}, got {_kind(value)}')
    ttl_s = value.get("timeToLiveSecs", 0)
    if not _is_integer(ttl_s) or not -(2**31) <= ttl_s < 2**31:
        raise HubConfigRefusedError(f"{path}.timeToLiveSecs", f"expected whole seconds, got {_kind(ttl_s)}")
    limits = value.get("storeLimits")
    if limits is None:
        return ttl_s, None
    max_bytes: Any = limits.get("maxSizeBytes", 0) if isinstance(limits, Mapping) else None
    if not _is_integer(max_bytes) or max_bytes < 0:
        raise HubConfigRefusedError(f"{path}.storeLimits.maxSizeBytes", f"expected bytes, got {_kind(limits)}")
    return ttl_s, max_bytes


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    """``value`` for an error message: what it is, without its whole content."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return repr(value) if not isinstance(value, str) or len(value) <= 40 else repr(value[:37] + "...")
