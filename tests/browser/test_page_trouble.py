"""What the page shows when something dies, and that it finds back by itself. The test moves the page's own time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, WebSocketRoute, async_playwright

from support.viewer_page import CHROMIUM, HW, Camera, House, browser_page, viewer_house

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")

LIVE = '.tile[data-state="live"]'
# What an installer may have to wait until a picture that has stopped is called one.
SHOWN_WITHIN_MS = 3000


async def holds(page: Page, expression: str, *, also: Callable[[], None] = lambda: None, tick_ms: int = 0) -> None:
    """Wait until ``expression`` is true; ``also`` is done, and the page's clock moved, before each look."""
    deadline = time.monotonic() + 60
    while not await page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < deadline, f"never: {expression}"
        also()
        if tick_ms:
            await page.clock.run_for(tick_ms)
        await asyncio.sleep(0.02)


@asynccontextmanager
async def still_page(house: House, connected: Callable[[WebSocketRoute], None] = lambda _: None) -> AsyncIterator[Page]:
    """The page with every camera live, and its clock stopped; ``connected`` gets each of its connections."""

    def pass_on(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        connected(socket)

    async with browser_page(house) as page:
        await page.route_web_socket("**/live", pass_on)
        await page.clock.install(time=1_790_000_000)
        await page.goto(house.address)
        names = list(house.cameras)

        def flow() -> None:
            house.tell()
            for camera in house.cameras.values():
                camera.show()

        await holds(page, f"document.querySelectorAll('{LIVE}').length === {len(names)}", also=flow)
        await page.clock.pause_at(await page.evaluate("Date.now()") + 1000)
        await holds(page, f"document.querySelectorAll('{LIVE}').length === {len(names)}", also=flow, tick_ms=50)
        yield page


async def test_a_camera_that_falls_silent_is_shown_within_three_seconds_and_comes_back_by_itself(
    tmp_path: Path,
) -> None:
    async with viewer_house(tmp_path) as house:
        dead, others = house.add("gate"), [house.add(name) for name in ("dock", "yard", "ramp")]
        async with still_page(house) as page:
            # Nobody tells that it died: the page itself misses its pictures. The three others go on.
            for _ in range(SHOWN_WITHIN_MS // 250):
                for camera in others:
                    drawn = f"vigie.state.pictures['{camera.name}'].drawn"
                    await holds(page, f"{drawn} > {await page.evaluate(drawn)}", also=camera.show)
                await page.clock.run_for(250)
            veil = page.locator('[data-camera="gate"] .veil')
            assert "No new picture for 3 s" in await veil.inner_text()
            # What was in its last picture is not said of it any longer.
            assert await page.locator('[data-camera="gate"] .seen').inner_text() == ""
            assert await page.locator('[data-camera="dock"] .seen').inner_text() == "1 nut"
            assert await page.locator(LIVE).count() == 3
            await holds(page, f"document.querySelectorAll('{LIVE}').length === 4", also=dead.show, tick_ms=50)
            assert page.wrong == []


async def test_a_hub_that_is_gone_is_shown_within_three_seconds_and_the_page_finds_back_by_itself(
    tmp_path: Path,
) -> None:
    async with viewer_house(tmp_path) as house:
        dock = house.add("dock")
        async with still_page(house) as page:
            house.hub.set_reachable(reachable=False)
            await holds(page, "vigie.state.numbers.hub.viewer === false")
            await page.clock.run_for(SHOWN_WITHIN_MS)
            assert "Hub unreachable" in await page.locator(".verdict").inner_text()
            assert "The hub does not answer" in await page.locator(".veil").inner_text()
            house.hub.set_reachable(reachable=True)

            def flow() -> None:
                house.tell()
                dock.show()

            await holds(page, f"document.querySelector('{LIVE}')", also=flow, tick_ms=50)
            await holds(
                page, "document.querySelector('.verdict').innerText.includes('All well')", also=flow, tick_ms=50
            )
            codes = await page.evaluate("vigie.state.events.map((event) => event.code)")
            assert {"hub_away", "hub_back"} <= set(codes)
            assert page.wrong == []


async def test_a_viewer_that_is_gone_is_shown_at_once_and_the_page_finds_back_by_itself(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house:
        house.add("dock")
        sockets: list[WebSocketRoute] = []
        async with still_page(house, sockets.append) as page:
            await sockets[-1].close(code=1001, reason="going away")
            await holds(page, "document.querySelector('.strip')", tick_ms=50)
            assert "No connection" in await page.locator(".strip").inner_text()
            assert "No connection" in await page.locator(".veil").inner_text()

            def flow() -> None:
                house.tell()
                house.cameras["dock"].show()

            await holds(page, f"document.querySelector('{LIVE}')", also=flow, tick_ms=100)
            assert await page.locator(".strip").count() == 0


async def test_four_cameras_are_shown_each_with_its_own_picture_over_one_connection(tmp_path: Path) -> None:
    bright = """([name, hw]) => {
      const canvas = document.querySelector(`[data-camera="${name}"] .picture`), { width, height } = canvas;
      const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
      let box = [1e9, 1e9, -1, -1];
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) if (pixels[4 * (y * width + x)] > 140)
        box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x + 1), Math.max(box[3], y + 1)];
      return box.map((side, at) => side * (at % 2 ? hw[0] / height : hw[1] / width));
    }"""
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        cameras = [house.add(name) for name in ("dock", "gate", "yard", "ramp")]
        for number, camera in enumerate(cameras):
            camera.seq = 40 * number  # so that no two show the same
        await page.goto(house.address)

        def flow() -> None:
            house.tell()
            for camera in cameras:
                camera.show()

        await holds(page, f"document.querySelectorAll('{LIVE}').length === 4", also=flow)
        await asyncio.sleep(0.2)  # what is on its way is drawn
        for camera in cameras:
            await shown(page, camera)
            assert await page.evaluate(bright, [camera.name, HW]) == pytest.approx(camera.box, abs=2)
        assert len({camera.box for camera in cameras}) == 4
        assert len(sockets) == 1
        assert page.wrong == []


async def shown(page: Page, camera: Camera) -> None:
    """Show one more frame of ``camera``, and wait until it is on the page."""
    picture = f"document.querySelector('[data-camera=\"{camera.name}\"] .picture').dataset.seq"
    deadline = time.monotonic() + 60
    while int(await page.evaluate(picture)) != camera.seq:
        assert time.monotonic() < deadline, f"never shown: frame {camera.seq} of {camera.name}"
        camera.show()
        await asyncio.sleep(0.15)  # the page takes ten per second


async def test_a_second_viewer_with_a_wrong_token_sees_nothing_while_the_first_looks(tmp_path: Path) -> None:
    token = "correct horse battery"
    async with viewer_house(tmp_path, token=token) as house, browser_page(house) as first:
        house.add("dock")
        flow = asyncio.create_task(house.run())
        await first.goto(house.address)
        await first.fill("input[name=token]", token)
        await first.click("button.main")
        await first.wait_for_selector(LIVE)
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(executable_path=str(CHROMIUM))
            try:
                second = await browser.new_page()
                sockets: list[str] = []
                second.on("websocket", lambda socket: sockets.append(socket.url))
                await second.goto(f"{house.address}/#/live/dock")
                await second.fill("input[name=token]", f"{token}?")
                await second.click("button.main")
                await second.wait_for_selector('[role="alert"]')
                answers = await second.evaluate(
                    "Promise.all(['/live', '/api/pictures/1', '/api/twin', '/api/undo', '/api/method'].map((path) =>"
                    " fetch(path, path.startsWith('/api/p') || path === '/live' ? {} : { method: 'POST', body: '{}' })"
                    ".then((answer) => answer.status)))"
                )
                assert set(answers) == {401}
                me = await second.evaluate("fetch('/api/me').then((answer) => answer.json())")
                assert me == {"signed_in": False, "token_needed": True}
                assert await second.locator("canvas").count() == 0
                assert "dock" not in await second.inner_text("body")
                assert await second.evaluate("Object.keys(vigie.state.modules).length") == 0
                assert sockets == []
            finally:
                await browser.close()
        seq = await first.evaluate("vigie.state.pictures.dock.head.seq")
        await holds(first, f"vigie.state.pictures.dock.head.seq > {seq}")
        flow.cancel()
        await asyncio.wait([flow])
