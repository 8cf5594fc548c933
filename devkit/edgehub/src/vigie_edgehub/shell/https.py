"""The HTTPS ports: which ones, opened, told apart from AMQP by their first bytes, closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from ssl import SSLContext
from typing import cast

from aiohttp import web

from vigie.log import get_logger
from vigie_edgehub.errors import HubStartError
from vigie_edgehub.shell.amqp import AMQP_HEADER, log_amqp
from vigie_edgehub.shell.gate import Gate
from vigie_edgehub.state.waiting_room import WaitingRoom

log = get_logger("hub")
HTTPS_PORT = 443
_SHUTDOWN_S = 1.0  # a method call still waiting for its module is ended after this
_FIRST_BYTES_WITHIN_S = 10.0
_SILENT_PER_PEER = 64
_SILENT = 128


@asynccontextmanager
async def service_port(
    app: web.Application, wanted: int, former: int, listen: str, tls: SSLContext
) -> AsyncIterator[int]:
    """Serve the REST on the ``wanted`` port, else on that of the last run, else on a free one."""
    async with AsyncExitStack() as stack:
        for port in (wanted,) if wanted else (former, 0) if former else (0,):
            try:
                bound = await stack.enter_async_context(open_https(app, listen=listen, port=port, tls=tls))
            except OSError as error:
                if wanted or not port:
                    raise HubStartError(
                        f"the service cannot listen on {listen}:{port} ({error.strerror}); "
                        f"free the port or pass another --service-port"
                    ) from error
                log.warning("service_port_changed", former=former, reason=error.strerror)
            else:
                break
        yield bound


@asynccontextmanager
async def gateway_port(app: web.Application, listen: str, tls: SSLContext) -> AsyncIterator[int | None]:
    """Serve modules and operators on 443. Yields: the port; None where it may not be bound."""
    async with AsyncExitStack() as stack:
        port: int | None = None
        try:
            port = await stack.enter_async_context(open_https(app, listen=listen, port=HTTPS_PORT, tls=tls))
        except OSError as error:
            log.warning("edge_https_not_served", listen=listen, port=HTTPS_PORT, reason=error.strerror or str(error))
        yield port


@asynccontextmanager
async def open_https(app: web.Application, *, listen: str, port: int, tls: SSLContext) -> AsyncIterator[int]:
    """Serve ``app`` while entered. Yields: the bound port. Raises: OSError: it cannot be bound."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        http = cast("Callable[[], asyncio.Protocol]", runner.server)
        gate = Gate(lambda: _FirstBytes(http), tls, WaitingRoom(per_peer=_SILENT_PER_PEER, in_all=_SILENT))
        server = await asyncio.get_running_loop().create_server(gate.protocol, listen, port)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            gate.close()
    finally:
        await runner.cleanup()


class _FirstBytes(asyncio.Protocol):
    """Looks at the first bytes and hands the connection to HTTP unless they open an AMQP one."""

    def __init__(self, http: Callable[[], asyncio.Protocol]) -> None:
        self.settled: Callable[[], None] = lambda: None
        self._http = http
        self._seen = b""
        self._transport: asyncio.Transport | None = None
        self._silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._silence = asyncio.get_running_loop().call_later(_FIRST_BYTES_WITHIN_S, self._transport.close)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        self._seen += data
        if AMQP_HEADER.startswith(self._seen[: len(AMQP_HEADER)]) and len(self._seen) < len(AMQP_HEADER):
            return
        self._calm()
        self.settled()
        if self._seen.startswith(AMQP_HEADER):
            log_amqp(transport)
            transport.close()
            return
        http = self._http()
        transport.set_protocol(http)
        http.connection_made(transport)
        http.data_received(self._seen)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the interface of asyncio
        self._calm()
        self.settled()
        self._transport = None

    def _calm(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
