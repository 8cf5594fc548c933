"""A camera in three steps: on a device as text for the cloud; locally tried, added and seen, on the whole system."""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from pathlib import Path

import pytest
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import async_playwright

from support.product import Home
from support.viewer_page import CHROMIUM, browser_page, viewer_house

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
WITHIN_S = 120.0


async def test_on_a_device_without_a_camera_the_page_gives_the_patch_and_the_commands(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        await page.goto(house.address)
        await page.get_by_role("link", name="Add a camera").click()
        await page.evaluate("navigator.clipboard.writeText = async (text) => { globalThis.copied = text; }")
        source = "rtsp://viewer:${DOCK}@10.0.0.7/it's"
        await page.fill("input[name=source]", source)
        await page.fill("input[name=name]", "Dock 1")
        assert "Lower case" in await page.locator(".wrong").first.inner_text()
        await page.fill("input[name=name]", "dock-1")
        assert await page.evaluate("JSON.parse(document.querySelector('.patch pre').innerText)") == {
            "cameras": {"dock-1": {"source": source}}
        }
        assert await page.get_by_role("button", name="Add this camera").count() == 0
        await page.get_by_role("button", name="Copy the check as az command").click()
        words = shlex.split(await page.evaluate("copied"))
        assert words[:4] == ["az", "iot", "hub", "invoke-module-method"]
        assert words[-1] == '{"source":"' + source + '"}'
        assert page.wrong == []


async def three_steps(address: str) -> None:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(CHROMIUM))
        try:
            page = await browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(WITHIN_S * 1000)
            deadline = time.monotonic() + WITHIN_S
            while True:
                try:
                    await page.goto(f"{address}/#/setup")
                    break
                except PlaywrightError:  # the address is told before the page is served
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.2)
            await page.fill("input[name=source]", "/nowhere/else.mp4")
            await page.get_by_role("button", name="Check").click()
            await page.wait_for_selector(".found.bad")
            assert await page.get_by_role("button", name="Add this camera").is_disabled()
            await page.fill("input[name=source]", "synthetic://conveyor?seed=9&fps=5&size=320x240")
            while True:
                # A source that takes its time on a busy machine is asked again, as a person would.
                await page.get_by_role("button", name="Check").click()
                await page.wait_for_selector(".found")
                told = await page.locator(".found").inner_text()
                if await page.locator(".found.good").count():
                    break
                assert time.monotonic() < deadline, told
                await asyncio.sleep(1)
            assert "320 \u00d7 240" in await page.locator(".found").inner_text()
            await page.fill("input[name=name]", "belt-2")
            await page.get_by_role("button", name="Add this camera").click()
            await page.wait_for_selector('.tile[data-camera="belt-2"][data-state="live"]')
            await page.get_by_role("button", name="Open the camera").click()
            await page.wait_for_selector("h1:has-text('belt-2')")
        finally:
            await browser.close()


def test_a_source_is_tried_before_it_is_set_and_its_first_picture_comes(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with home.running("synthetic://conveyor?seed=1&fps=5", "--viewer") as up:
        up.wait_until(lambda: re.search(r"vigie: page (\S+)", up.tail()), timeout_s=WITHIN_S, what="the page's address")
        asyncio.run(three_steps(re.findall(r"vigie: page (\S+)", up.log.read_text(encoding="utf-8"))[0]))
