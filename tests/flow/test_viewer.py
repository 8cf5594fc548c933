"""The page of a running system: pictures with what was seen in them, and a change made and taken back from it."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import aiohttp

from support.product import Home

WITHIN_S = 120.0


async def next_picture(socket: aiohttp.ClientWebSocketResponse, wanted: Any) -> dict[str, Any]:
    """The head of the first picture for which ``wanted(head)`` holds; each is acknowledged as a page does."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            message = await socket.receive()
            assert message.type in {aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT}, message
            if message.type is aiohttp.WSMsgType.TEXT:
                continue
            length = int.from_bytes(message.data[:4], "big")
            head: dict[str, Any] = json.loads(message.data[4 : 4 + length])
            assert message.data[4 + length : 6 + length] == b"\xff\xd8"
            await socket.send_json({"drawn": head["camera"]})
            if wanted(head):
                return head


async def posted(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> dict[str, Any]:
    async with session.post(url, json=body) as answer:
        told: dict[str, Any] = await answer.json()
        assert answer.status == 200, told
        return told


async def look(address: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(WITHIN_S):
            while True:
                try:
                    async with session.get(f"{address}/api/me") as answer:
                        assert await answer.json() == {"signed_in": True, "token_needed": False, "edits": True}
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.1)
        async with session.ws_connect(f"{address}/live") as socket:
            await socket.send_json({"look": {"conveyor": {"width": 640, "fps": 10}}})
            seen = await next_picture(socket, lambda head: head["boxes"])
            assert seen["hw"] == [480, 640]
            assert all(0 <= side <= 640 for box in seen["boxes"] for side in box[3:])
            await posted(session, f"{address}/api/twin", {"module": "inference", "patch": {"score": 1.0}})
            await next_picture(socket, lambda head: head["boxes"] == [])
            await posted(session, f"{address}/api/undo", {})
            await next_picture(socket, lambda head: head["boxes"])


def test_the_page_shows_what_was_seen_and_changes_the_twin_and_takes_it_back(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with home.running("synthetic://conveyor?seed=1&fps=10", "--viewer") as up:
        up.wait_until(lambda: re.search(r"vigie: page (\S+)", up.tail()), timeout_s=WITHIN_S, what="the page's address")
        asyncio.run(look(re.findall(r"vigie: page (\S+)", up.log.read_text(encoding="utf-8"))[0]))
