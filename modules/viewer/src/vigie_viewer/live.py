"""One page's connection: pictures and state go out, what is looked at and what was drawn comes in."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from aiohttp import WSCloseCode, web
from msgspec import Meta

from vigie_viewer.audience import Audience, Viewer

_CAMERAS_MAX = 64
# Text that waits for a page that reads slowly; pictures are bounded by acknowledgements.
_TEXTS_MAX = 8


class Want(msgspec.Struct, frozen=True):
    """How one camera is shown: width in device pixels, pictures per second."""

    width: Annotated[int, Meta(ge=1, le=16_384)]
    fps: Annotated[float, Meta(gt=0, le=60)]


class FromPage(msgspec.Struct, frozen=True):
    """One message of the page: what it shows now, or the camera of which it has drawn a picture."""

    look: Annotated[dict[Annotated[str, Meta(max_length=200)], Want], Meta(max_length=_CAMERAS_MAX)] | None = None
    drawn: Annotated[str, Meta(max_length=200)] | None = None


@dataclass(frozen=True, slots=True)
class _News:
    text: str


class PageConnection:
    """Implements ``PageListener``: what is sent waits here and leaves by one task, so that nobody waits for a page."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._waiting: deque[bytes | str | _News] = deque()
        self._wake = asyncio.Event()
        self._closing: str | None = None
        self._lost = False
        # News that wait, without what a page is built on: that is much, and must not count as a page that is slow.
        self._news = 0
        # Everything anew, for a page that has lost some of it.
        self.everything: Callable[[], Iterable[str]] = tuple

    def send(self, message: bytes) -> None:
        self._waiting.append(message)
        self._wake.set()

    def tell(self, text: str) -> None:
        """Send JSON. A page that does not read loses it, and gets everything anew once it reads again."""
        if self._lost or self._news >= _TEXTS_MAX:
            self._lost = True
        else:
            self._news += 1
            self._waiting.append(_News(text))
        self._wake.set()

    def greet(self, text: str) -> None:
        """Send JSON that must arrive: what a page is built on."""
        self._waiting.append(text)
        self._wake.set()

    def close(self, reason: str) -> None:
        self._closing = reason
        self._wake.set()

    async def run(self) -> None:
        """Send until closed."""
        while self._closing is None:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and self._closing is None:
                message = self._waiting.popleft()
                if isinstance(message, _News):
                    self._news -= 1
                    await self._socket.send_str(message.text)
                elif isinstance(message, str):
                    await self._socket.send_str(message)
                else:
                    await self._socket.send_bytes(message)
                if self._lost and not self._waiting:
                    self._lost = False
                    self._waiting.extend(self.everything())
        await self._socket.close(code=WSCloseCode.GOING_AWAY, message=self._closing.encode())


_decoder = msgspec.json.Decoder(FromPage)


async def serve_page(request: web.Request, audience: Audience, greet: Any) -> web.WebSocketResponse:
    """Serve one page until it goes. ``greet(connection)`` registers it for state and returns how to take it back."""
    # Pictures are compressed already; a page only says small things.
    socket = web.WebSocketResponse(compress=False, heartbeat=10, max_msg_size=16_384)
    await socket.prepare(request)
    connection = PageConnection(socket)
    viewer = audience.join(connection)
    farewell = greet(connection)
    sending = asyncio.create_task(connection.run(), name="viewer.send")
    try:
        async for message in socket:
            if message.type != web.WSMsgType.TEXT:
                break
            try:
                _take(audience, viewer, _decoder.decode(message.data))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=str(error)[:100].encode())
    finally:
        farewell()
        audience.leave(viewer)
        sending.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await sending
    return socket


def _take(audience: Audience, viewer: Viewer, said: FromPage) -> None:
    if said.look is not None:
        audience.look(viewer, {camera: (want.width, want.fps) for camera, want in said.look.items()})
    if said.drawn is not None:
        audience.drawn(viewer, said.drawn)
