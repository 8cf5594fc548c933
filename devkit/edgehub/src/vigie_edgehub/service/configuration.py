"""Deployment content for the one device, and automatic deployments by target condition."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from vigie_edgehub.deployment_desk import DeploymentDesk
from vigie_edgehub.deployments import Configuration
from vigie_edgehub.ports import HubRefusalError, JsonObject
from vigie_edgehub.service.exchange import (
    CONTROL,
    answer,
    control_of,
    read_as,
    read_object,
    wanted_etag,
)
from vigie_edgehub.service.query import parse_query
from vigie_edgehub.service.refusals import NotEmulatedError
from vigie_edgehub.state.twins import etag_text
from vigie_edgehub.upstream.record import iso_time

_MAX_PAGE = 20  # of IoT Hub
_ALL_DEVICES = "SELECT * FROM devices WHERE "


class ConfigurationBody(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a PUT; other members are read-only."""

    content: dict[str, Any]
    id: str | None = None
    target_condition: str | None = None
    priority: int = 0
    labels: dict[str, str] | None = None
    metrics: dict[str, Any] | None = None


class Tested(msgspec.Struct, frozen=True, rename="camel"):
    target_condition: str | None = None
    custom_metric_queries: dict[str, str] | None = None


def add_routes(app: web.Application) -> None:
    app.router.add_post("/devices/{device}/applyConfigurationContent", apply)
    app.router.add_get("/configurations", list_all)
    app.router.add_post("/configurations/testQueries", test_queries)
    app.router.add_get("/configurations/{name}", get)
    app.router.add_put("/configurations/{name}", put)
    app.router.add_delete("/configurations/{name}", delete)
    app.router.add_route("*", "/jobs/{tail:.*}", refuse)


async def apply(request: web.Request) -> web.Response:
    """Apply a manifest: routes swap at once, modules get their new desired properties. 204."""
    control_of(request).deployments.apply(await read_object(request))
    return web.Response(status=204)


async def list_all(request: web.Request) -> web.Response:
    desk = request.app[CONTROL].deployments
    top = request.query.get("top", str(_MAX_PAGE))
    if not top.isdecimal() or int(top) < 1:
        raise HubRefusalError(f"top must be a whole number above 0, got '{top}'")
    return answer([_shown(desk, one) for one in desk.all()[: int(top)]])


async def get(request: web.Request) -> web.Response:
    desk = request.app[CONTROL].deployments
    return _one(desk, desk.get(request.match_info["name"]))


async def put(request: web.Request) -> web.Response:
    """Create, or change condition, priority, labels and metrics; what targets the device is in force at once."""
    desk = request.app[CONTROL].deployments
    name = request.match_info["name"]
    wanted = await read_as(request, ConfigurationBody)
    if wanted.id not in (None, name):
        raise HubRefusalError(f"the body is configuration '{wanted.id}', the path is '{name}'")
    if "modulesContent" not in wanted.content:
        raise NotEmulatedError("configurations for devices or single modules are not emulated; send modulesContent")
    kept, new = desk.put(
        Configuration(
            id=name,
            content=wanted.content,
            target_condition=wanted.target_condition or "",
            priority=wanted.priority,
            labels=wanted.labels or {},
            metrics=wanted.metrics or {},
        ),
        request.app[CONTROL].now(),
        wanted_etag(request),
    )
    return _one(desk, kept, status=201 if new else 200)


async def delete(request: web.Request) -> web.Response:
    request.app[CONTROL].deployments.delete(request.match_info["name"], wanted_etag(request))
    return web.Response(status=204)


async def test_queries(request: web.Request) -> web.Response:
    """Answer what is wrong with a target condition and metric queries; empty: nothing."""
    tested = await read_as(request, Tested)
    condition = (tested.target_condition or "").strip()
    wrong = "" if condition in ("", "*") else _wrong(_ALL_DEVICES + condition)
    metrics = {name: _wrong(text) for name, text in (tested.custom_metric_queries or {}).items()}
    return answer(
        {
            "targetConditionError": wrong or None,
            "customMetricQueryErrors": {name: error for name, error in metrics.items() if error},
        }
    )


async def refuse(_: web.Request) -> web.Response:
    raise NotEmulatedError("jobs are not emulated; change the twins one by one")


def _wrong(query: str) -> str:
    try:
        parse_query(query)
    except HubRefusalError as refusal:
        return refusal.message
    return ""


def _one(desk: DeploymentDesk, configuration: Configuration, *, status: int = 200) -> web.Response:
    shown = _shown(desk, configuration)
    return answer(shown, status=status, headers={"ETag": f'"{shown["etag"]}"'})


def _shown(desk: DeploymentDesk, one: Configuration) -> JsonObject:
    seen = desk.in_force
    return {
        "id": one.id,
        "schemaVersion": "1.0",
        "labels": one.labels,
        "content": one.content,
        "contentType": "assignment",
        "targetCondition": one.target_condition,
        "createdTimeUtc": iso_time(one.created_at),
        "lastUpdatedTimeUtc": iso_time(one.updated_at),
        "priority": one.priority,
        "systemMetrics": {
            "results": {"targetedCount": int(one.id in seen.targeted), "appliedCount": int(one.id in seen.applied)},
            "queries": {},
        },
        "metrics": {"results": {}, "queries": {}, **one.metrics},
        "etag": etag_text(one.etag),
    }
