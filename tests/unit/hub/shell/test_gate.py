"""The door of a TLS port: who is silent gives way, who hangs up leaves nothing behind, who speaks is served."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from vigie_edgehub.shell.certificates import Certificates
from vigie_edgehub.shell.gate import Gate
from vigie_edgehub.state.waiting_room import WaitingRoom

NAME = "localhost"


class Echo(asyncio.Protocol):
    def __init__(self) -> None:
        self.settled: Callable[[], None] = lambda: None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.settled()
        assert self._transport is not None
        self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.settled()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("ca"))
    made.prepare([NAME])
    return made


@asynccontextmanager
async def opened(certificates: Certificates) -> AsyncIterator[tuple[WaitingRoom, int]]:
    troubles: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: troubles.append(context))
    room = WaitingRoom(per_peer=4, in_all=8)
    gate = Gate(Echo, certificates.context(), room)
    server = await loop.create_server(gate.protocol, "127.0.0.1", 0)
    try:
        yield room, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        gate.close()
    assert not troubles


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_the_oldest_silent_connections_give_way_to_one_that_speaks(certificates: Certificates) -> None:
    trusted = ssl.create_default_context(cafile=str(Path(certificates.ca_file)))
    async with opened(certificates) as (room, port):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname=NAME)
        writer.write(b"hello" * 1000)
        assert await reader.readexactly(5000) == b"hello" * 1000
        for early, _ in silent[:6]:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await early.readexactly(1)
        assert len(room) <= 4
        for _, one in [*silent, (reader, writer)]:
            one.close()
        await eventually(lambda: len(room) == 0)


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01", b"GET / HTTP/1.0\r\n\r\n"], ids=["nothing", "half", "http"])
async def test_who_hangs_up_during_the_handshake_leaves_nothing_behind(
    certificates: Certificates, first: bytes
) -> None:
    async with opened(certificates) as (room, port):
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(first)
            await writer.drain()
            writer.close()
        await eventually(lambda: len(room) == 0)
