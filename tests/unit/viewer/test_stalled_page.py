"""A page that reads nothing any more: what it costs the viewer does not grow."""

from __future__ import annotations

import asyncio
import base64
import gc
import os
import socket
import tracemalloc
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from support.modules import until

playwright = pytest.importorskip("playwright", reason="Playwright is not installed")

from support.viewer_page import HW, House, viewer_house  # noqa: E402

ROUNDS = 60
# A picture of noise has 150 KB and the news of a round 60 KB: a queue of either grows by far more.
GROWTH_BYTES_PER_ROUND = 10_000
NEWS = "x" * 60_000
TEXT, PONG = 0x1, 0xA


class FrozenTab:
    """A WebSocket client of its own, since a library would go on reading. Source: RFC 6455, 1.3 and 5.2."""

    async def open(self, address: str) -> None:
        host, port = str(urlsplit(address).netloc).rsplit(":", 1)
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what the kernel holds is nobody's memory here
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, (host, int(port)))
        self.reader, self.writer = await asyncio.open_connection(sock=narrow, limit=4096)
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write(
            f"GET /live HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b"101" in await self.reader.readline()

    def say(self, text: str, kind: int = TEXT) -> None:
        body, mask = text.encode(), os.urandom(4)
        assert len(body) < 126
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(body))
        self.writer.write(bytes((0x80 | kind, 0x80 | len(body))) + mask + masked)

    def freeze(self) -> None:
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket's transport


async def play(house: House, tab: FrozenTab, rounds: int) -> int:
    """So many pictures and so much news; returns the memory that Python holds afterwards."""
    for number in range(rounds):
        house.cameras["dock"].show()
        house.states["dock"]["reason"] = f"{number} {NEWS}"
        house.tell()
        tab.say("", PONG)  # the browser is there, its page is not
        await asyncio.sleep(0.01)
    await until(lambda: not house.hub.module("viewer").waiting, what="everything heard")
    await asyncio.sleep(0.05)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def test_a_tab_that_reads_nothing_grows_no_memory_of_the_viewer(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house:
        dock = house.add("dock")
        dock.period_ns = 100_000_000
        dock.background = np.random.default_rng(3).integers(0, 255, (*HW, 3), np.uint8)
        tab = FrozenTab()
        await tab.open(house.address)
        tab.say('{"look": {"dock": {"width": 640, "fps": 10}}}')
        await until(lambda: {"dock": 1} in [one["cameras"] for one in house.demands()], what="frames asked for")
        tab.freeze()
        tracemalloc.start()
        try:
            # What is bounded fills up: two pictures, eight pieces of news, the album.
            before = await play(house, tab, ROUNDS)
            after = await play(house, tab, ROUNDS)
        finally:
            tracemalloc.stop()
            tab.writer.close()
        grown = (after - before) / ROUNDS
        print(f"{grown:.0f} bytes per round")
        assert grown < GROWTH_BYTES_PER_ROUND
