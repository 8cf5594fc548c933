"""The HTTPS application of the service: who may ask, and what is served."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from vigie_edgehub.ports import ServiceSettings
from vigie_edgehub.service import (
    configuration,
    devices,
    faults,
    identities,
    messages,
    methods,
    recorded,
    search,
    twins,
)
from vigie_edgehub.service.credentials import check_authorization
from vigie_edgehub.service.exchange import CONTROL, ENDING, SINK
from vigie_edgehub.service.refusals import answer_refusals
from vigie_edgehub.shell.control import Control
from vigie_edgehub.shell.edge_http import EdgeHttp
from vigie_edgehub.upstream import SqliteSink


def build_service(
    control: Control, sink: SqliteSink, settings: ServiceSettings, gateway: EdgeHttp | None = None
) -> web.Application:
    """Build the application for one port. ``gateway`` is asked first: it answers what is a module's."""
    first = [] if gateway is None else [_offer(gateway)]
    app = web.Application(middlewares=[answer_refusals, *first, _believe(settings)])
    app[CONTROL] = control
    app[SINK] = sink
    app[ENDING] = asyncio.Event()
    app.on_shutdown.append(_end)
    for part in (twins, methods, devices, identities, configuration, search, faults, recorded, messages):
        part.add_routes(app)
    _also_with_trailing_slash(app)
    return app


async def _end(app: web.Application) -> None:
    app[ENDING].set()


def _offer(gateway: EdgeHttp) -> Middleware:
    @web.middleware
    async def offer(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gateway(request) or await handler(request)

    return offer


def _believe(settings: ServiceSettings) -> Middleware:
    @web.middleware
    async def believe(request: web.Request, handler: Handler) -> web.StreamResponse:
        sockname = request.get_extra_info("sockname")
        check_authorization(
            request.headers.get("Authorization"),
            request.rel_url.raw_path,
            settings,
            sockname[1] if sockname else settings.port,
            time.time(),
        )
        return await handler(request)

    return believe


def _also_with_trailing_slash(app: web.Application) -> None:
    """``/devices/`` is ``/devices``: Node's service SDK writes it so, and a redirect would lose its body."""
    for route in list(app.router.routes()):
        if route.resource is not None and not route.resource.canonical.endswith(("/", "{tail}")):
            app.router.add_route(route.method, f"{route.resource.canonical}/", route.handler)
