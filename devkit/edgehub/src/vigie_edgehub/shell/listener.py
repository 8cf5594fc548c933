"""The MQTT port: opened, closed, and every client drained before it is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext

from vigie.log import get_logger
from vigie_edgehub.errors import HubStartError
from vigie_edgehub.shell.broker import Broker
from vigie_edgehub.shell.control import Control
from vigie_edgehub.shell.gate import Gate
from vigie_edgehub.shell.listen import MQTT_PORT, listen_error
from vigie_edgehub.state.waiting_room import WaitingRoom

log = get_logger("hub")
_RESTART_S = 0.2  # how long the port stays closed when a restart is played


class Listener:
    """Owns the listening socket; connections belong to the broker."""

    def __init__(self, broker: Broker, control: Control, *, listen: str, tls: SSLContext, drain_limit_s: float) -> None:
        self._broker = broker
        self._control = control
        self._listen = listen
        settings = broker.state.settings
        room = WaitingRoom(per_peer=settings.max_silent_per_peer, in_all=settings.max_silent)
        self._gate = Gate(broker.new_connection, tls, room)
        self._drain_limit_s = drain_limit_s
        self._server: asyncio.Server | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Accept clients while entered. Raises: HubStartError: the port is taken."""
        try:
            await self._open()
            yield
        finally:
            self._close()

    async def drain(self) -> None:
        """Refuse new connections, let every client's writes succeed until it is quiet, then close.

        docs/edgehub-facts.md, Abrupt close, has the reason.
        """
        self._broker.accepting = False
        self._close()
        self._gate.close()
        self._control.drop_connections()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_limit_s + 1):
                while self._broker.connections or self._broker.state.uplink.busy:
                    await self._broker.next_close(0.05)

    async def follow(self, restart_wanted: asyncio.Event) -> None:
        """Play a restart whenever it is wanted."""
        while True:
            await restart_wanted.wait()
            restart_wanted.clear()
            log.info("listener_restarting")
            await self.drain()
            await asyncio.sleep(_RESTART_S)
            while self._server is None:
                try:
                    await self._open()
                except HubStartError as error:  # somebody took the port in between
                    log.error("listener_waits", reason=str(error))  # noqa: TRY400 - the reason says it all
                    await asyncio.sleep(_RESTART_S)

    async def _open(self) -> None:
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._gate.protocol,
                self._listen,
                MQTT_PORT,
                backlog=256,
            )
        except OSError as error:
            raise listen_error(self._listen, MQTT_PORT, error) from error
        self._broker.accepting = True

    def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
