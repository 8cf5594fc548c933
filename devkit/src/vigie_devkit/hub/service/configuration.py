"""Deployment content applied to the running hub, and the parts of automatic deployment that are not here."""

from __future__ import annotations

from aiohttp import web

from vigie_devkit.hub.service.exchange import control_of, read_object
from vigie_devkit.hub.service.refusals import NotEmulatedError


def add_routes(app: web.Application) -> None:
    app.router.add_post("/devices/{device}/applyConfigurationContent", apply)
    for path in ("/configurations", "/configurations/{tail:.*}", "/jobs/{tail:.*}"):
        app.router.add_route("*", path, refuse)


async def apply(request: web.Request) -> web.Response:
    """Apply a manifest: routes swap at once, modules get their new desired properties. 204."""
    control_of(request).apply_configuration(await read_object(request))
    return web.Response(status=204)


async def refuse(_: web.Request) -> web.Response:
    raise NotEmulatedError(
        "automatic deployments and jobs are not emulated; this hub is one device: "
        "POST its manifest to /devices/{device}/applyConfigurationContent"
    )
