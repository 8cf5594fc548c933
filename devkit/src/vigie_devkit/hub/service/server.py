"""The HTTPS server: who may ask, what is served, start and end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from vigie.errors import HubStartError
from vigie_devkit.hub.ports import HubControl, ServiceSettings, UpstreamSink
from vigie_devkit.hub.service import configuration, faults, identities, methods, recorded, search, twins
from vigie_devkit.hub.service.credentials import check_authorization
from vigie_devkit.hub.service.exchange import CONTROL, SINK
from vigie_devkit.hub.service.refusals import answer_refusals

_SHUTDOWN_S = 1.0  # a method call still waiting for its module is ended after this


@asynccontextmanager
async def serve(
    control: HubControl, sink: UpstreamSink, settings: ServiceSettings, tls: SSLContext
) -> AsyncIterator[int]:
    """Serve while entered; see `vigie_devkit.hub.ports.ServiceFactory`."""
    app = web.Application(middlewares=[answer_refusals, _believe(settings)])
    app[CONTROL] = control
    app[SINK] = sink
    for part in (twins, methods, identities, configuration, search, faults, recorded):
        part.add_routes(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.listen, settings.port, ssl_context=tls).start()
        except OSError as error:
            raise HubStartError(
                f"the service cannot listen on {settings.listen}:{settings.port} ({error.strerror}); "
                f"free the port or pass another --service-port"
            ) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _believe(settings: ServiceSettings) -> Middleware:
    @web.middleware
    async def believe(request: web.Request, handler: Handler) -> web.StreamResponse:
        sockname = request.get_extra_info("sockname")
        check_authorization(
            request.headers.get("Authorization"), settings, sockname[1] if sockname else settings.port, time.time()
        )
        return await handler(request)

    return believe
