"""A tab that draws nothing any more: what waits for it does not grow, neither in the page nor on its way there."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import CDPSession, Page, WebSocket

from support.viewer_page import CHROMIUM, HW, House, browser_page, viewer_house
from vigie_viewer.audience import UNACKNOWLEDGED_MAX

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")

LIVE = '.tile[data-state="live"]'
# What a page does while it decodes nothing: its pictures wait, and no answer goes out. `release` goes on with it.
STALL = """() => {
  const decode = createImageBitmap, waiting = [];
  globalThis.createImageBitmap = (blob) => new Promise((done) => waiting.push(() => done(decode(blob))));
  globalThis.release = () => { globalThis.createImageBitmap = decode; for (const go of waiting) go(); };
}"""
ROUNDS = 60


async def flows(house: House, page: Page, expression: str) -> None:
    """Show pictures until ``expression`` is true on the page."""
    deadline = time.monotonic() + 60
    while not await page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < deadline, f"never: {expression}"
        house.tell()
        house.cameras["dock"].show()
        await asyncio.sleep(0.05)


async def heap_bytes(session: CDPSession) -> int:
    """JavaScript's heap and its buffers, after a collection."""
    await session.send("HeapProfiler.collectGarbage")
    used: dict[str, Any] = await session.send("Runtime.getHeapUsage")
    return int(used["usedSize"]) + int(used.get("backingStorageSize", 0))


async def test_a_tab_that_draws_nothing_gets_two_pictures_keeps_its_memory_and_finds_back(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        house.add("dock").background = np.random.default_rng(3).integers(0, 255, (*HW, 3), np.uint8)
        pictures: list[int] = []

        def listen(socket: WebSocket) -> None:
            socket.on("framereceived", lambda got: pictures.append(len(got)) if isinstance(got, bytes) else None)

        page.on("websocket", listen)
        session = await page.context.new_cdp_session(page)
        await page.goto(house.address)
        await flows(house, page, f"document.querySelector('{LIVE}')")
        await page.evaluate(STALL)
        pictures.clear()
        heap = []
        for _ in range(2):
            for number in range(ROUNDS):
                house.cameras["dock"].show()
                house.states["dock"]["reason"] = f"{number} " + "x" * 500
                house.tell()
                await asyncio.sleep(0.02)
            heap.append(await heap_bytes(session))
        # One more may have been on its way when the tab stalled.
        assert 1 <= len(pictures) <= UNACKNOWLEDGED_MAX + 1
        grown = heap[1] - heap[0]
        print(f"heap {heap[0]} bytes, {grown} more after {ROUNDS} rounds; a picture has {min(pictures)} bytes")
        assert grown < 2 * min(pictures)
        await page.evaluate("release()")
        drawn = await page.evaluate("vigie.state.pictures.dock.drawn")
        await flows(house, page, f"vigie.state.pictures.dock.drawn > {drawn + 5}")
        await flows(house, page, f"document.querySelector('{LIVE}')")
        assert page.wrong == []
