"""The door of a TLS port: every TCP connection is counted from its first moment, until it says who it is.

asyncio's own server tells a protocol about a connection after the TLS handshake only: whoever opens connections and is
silent could not be counted, and would take file descriptors until no module gets one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ssl import SSLContext
from typing import Protocol, cast

from vigie.log import get_logger
from vigie_edgehub.state.waiting_room import WaitingRoom

log = get_logger("hub")
_HANDSHAKE_WITHIN_S = 10.0
_SHUTDOWN_S = 2.0


class Guest(Protocol):
    """What is behind the door. It calls ``settled`` once it knows who is there, or the connection ended."""

    settled: Callable[[], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...


class Gate:
    """Makes the protocols of a listening socket: ``loop.create_server(gate.protocol, ...)``, without ``ssl``."""

    def __init__(self, make: Callable[[], Guest], tls: SSLContext, room: WaitingRoom) -> None:
        self.room = room
        self.make = make
        self.tls = tls
        self._waiting: set[_Doorstep] = set()
        self._evicted = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def protocol(self) -> asyncio.Protocol:
        return _Doorstep(self)

    def entered(self, doorstep: _Doorstep, peer: str) -> None:
        self._waiting.add(doorstep)
        for gone in self.room.enter(doorstep, peer):
            oldest = cast("_Doorstep", gone)
            self._waiting.discard(oldest)
            oldest.abort()
            self._evicted += 1
            if self._evicted & (self._evicted - 1) == 0:  # 1, 2, 4, 8, ...: a flood must not fill the log
                log.warning("silent_connection_closed", peer=oldest.peer, closed_so_far=self._evicted)
        task = asyncio.get_running_loop().create_task(doorstep.secure(), name="hub.handshake")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def left(self, doorstep: _Doorstep) -> None:
        self._waiting.discard(doorstep)
        self.room.leave(doorstep)

    def close(self) -> None:
        """End those that are still waiting."""
        for doorstep in list(self._waiting):
            self.left(doorstep)
            doorstep.abort()


class _Doorstep(asyncio.Protocol):
    """One TCP connection before its TLS handshake is done."""

    def __init__(self, gate: Gate) -> None:
        self.peer = "unknown"
        self._gate = gate
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.pause_reading()  # until TLS reads
        address = transport.get_extra_info("peername")
        self.peer = address[0] if address else "unknown"
        self._gate.entered(self, self.peer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the interface of asyncio
        self._gate.left(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def secure(self) -> None:
        """Do the handshake, then hand the connection over."""
        transport, early = self._transport, _Early()
        if transport is None or transport.is_closing():
            self._gate.left(self)
            return
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                early,
                self._gate.tls,
                server_side=True,
                ssl_handshake_timeout=_HANDSHAKE_WITHIN_S,
                ssl_shutdown_timeout=_SHUTDOWN_S,
            )
        except (OSError, asyncio.CancelledError) as error:  # ssl.SSLError and time-outs are OSErrors
            self._gate.left(self)
            transport.abort()
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        if secured is None:  # it ended during the handshake
            self._gate.left(self)
            return
        guest = self._gate.make()
        guest.settled = lambda: self._gate.left(self)
        secured.set_protocol(cast("asyncio.BaseProtocol", guest))
        guest.connection_made(secured)
        if early.data:
            guest.data_received(bytes(early.data))
        if early.lost:
            guest.connection_lost(early.error)


class _Early(asyncio.Protocol):
    """Keeps what arrives between the end of the handshake and the moment at which its waiter runs."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost = False
        self.error: Exception | None = None

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost, self.error = True, exc
