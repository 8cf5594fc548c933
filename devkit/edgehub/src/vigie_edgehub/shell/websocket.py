"""MQTT over WebSockets: ``/$iothub/websocket`` of port 443, as edgeHub serves it (``websockets=True`` of the SDKs)."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from vigie.log import get_logger
from vigie_edgehub.message import MAX_MESSAGE_BYTES
from vigie_edgehub.shell.broker import Broker

log = get_logger("hub")
PATH = "/$iothub/websocket"
_SUBPROTOCOL = "mqtt"
# A frame may carry several packets; the reader behind it bounds each packet on its own.
_MAX_FRAME_BYTES = 4 * MAX_MESSAGE_BYTES


async def serve_websocket(request: web.Request, broker: Broker) -> web.StreamResponse:
    """Carry one client's connection until either side ends it."""
    socket = web.WebSocketResponse(
        protocols=(_SUBPROTOCOL,), max_msg_size=_MAX_FRAME_BYTES, compress=False, autoping=True
    )
    if not socket.can_prepare(request).ok:
        return web.Response(status=400, text=f"{PATH} takes WebSocket upgrades of subprotocol {_SUBPROTOCOL} only")
    await socket.prepare(request)
    transport = WebSocketTransport(socket, request)
    connection = broker.new_connection()
    connection.connection_made(transport)
    writer = asyncio.create_task(transport.write_all(), name="hub.websocket")
    try:
        async for frame in socket:
            if frame.type is not WSMsgType.BINARY:
                log.warning("websocket_frame_refused", peer=connection.peer, type=frame.type.name)
                break
            connection.data_received(frame.data)
    finally:
        writer.cancel()
        error = socket.exception()
        connection.connection_lost(error if isinstance(error, Exception) else None)
        await socket.close()
    return socket


class WebSocketTransport(asyncio.Transport):
    """What a connection needs of a transport: bytes out, a close, and who is at the other end."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        super().__init__()
        self._socket = socket
        self._request = request
        self._waiting: list[bytes] = []
        self._changed = asyncio.Event()
        self._closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._request.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self._waiting))

    # aiohttp reads a frame ahead at most, and waits while `data_received` of the connection is at work.
    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing:
            self._waiting.append(bytes(data))
            self._changed.set()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Send what waits, then close."""
        self._closing = True
        self._changed.set()

    def abort(self) -> None:
        self._closing = True
        self._waiting.clear()
        transport = self._request.transport
        if transport is not None:
            transport.abort()

    async def write_all(self) -> None:
        """Send what is written until the transport closes: whatever came meanwhile goes in one frame."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                waiting, self._waiting = self._waiting, []
                if waiting:
                    await self._socket.send_bytes(b"".join(waiting))
                if self._closing and not self._waiting:
                    await self._socket.close(code=WSCloseCode.GOING_AWAY)
                    return
        except ConnectionError:
            pass  # the reading side sees the end and says it
