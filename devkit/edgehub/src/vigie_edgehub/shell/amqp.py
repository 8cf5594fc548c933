"""AMQP is not served; a client that tries it is told so, instead of finding a closed port or an HTTP error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import cast

from vigie.log import get_logger

log = get_logger("hub")
AMQP_PORT = 5671
AMQP_HEADER = b"AMQP"
_REMEDY = (
    "set the module's transport to MQTT: environment variable ClientTransportType=Mqtt_Tcp_Only (Microsoft's modules), "
    "UpstreamProtocol=Mqtt, or TransportType.Mqtt in its code"
)
_SILENT_S = 10.0


def log_amqp(transport: asyncio.Transport) -> None:
    """Say who asked for AMQP and what to set instead."""
    address = transport.get_extra_info("peername") or ("unknown", 0)
    local = transport.get_extra_info("sockname") or ("", 0)
    log.warning("amqp_not_served", peer=f"{address[0]}:{address[1]}", port=local[1], remedy=_REMEDY)


@asynccontextmanager
async def refuse_amqp(*, listen: str, tls: SSLContext) -> AsyncIterator[None]:
    """Answer on 5671 while entered, only to say that AMQP is not served. Where the port is taken, nothing is said."""
    try:
        server = await asyncio.get_running_loop().create_server(
            _Refusal, listen, AMQP_PORT, ssl=tls, ssl_handshake_timeout=_SILENT_S, ssl_shutdown_timeout=2
        )
    except OSError as error:
        log.debug("amqp_port_not_watched", listen=listen, port=AMQP_PORT, reason=error.strerror or str(error))
        yield
        return
    try:
        yield
    finally:
        server.close()


class _Refusal(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._silence = asyncio.get_running_loop().call_later(_SILENT_S, self._transport.close)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            if data.startswith(AMQP_HEADER):
                log_amqp(self._transport)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the interface of asyncio
        if self._silence is not None:
            self._silence.cancel()
        self._transport = None
