"""A mask drawn on the page hides what is under it: the whole system runs, and a browser looks at its pictures."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import async_playwright

from support.product import Home
from support.viewer_page import CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
WITHIN_S = 120.0

# The brightest value inside a rectangle (shares of the picture), an edge that JPEG blurs apart.
BRIGHTEST = """([left, top, right, bottom]) => {
  const canvas = document.querySelector(".picture"), { width, height } = canvas;
  if (!width || !height) return -1;
  const x = Math.ceil(left * width) + 16, y = Math.ceil(top * height) + 16;
  const w = Math.floor(right * width) - 16 - x, h = Math.floor(bottom * height) - 16 - y;
  const pixels = canvas.getContext("2d").getImageData(x, y, w, h).data;
  let most = 0;
  for (let at = 0; at < pixels.length; at += 4) most = Math.max(most, pixels[at], pixels[at + 1], pixels[at + 2]);
  return most;
}"""
REPORTED = "vigie.state.modules.camera?.reported?.camera_state?.conveyor?.masks"
HIDDEN, REST = [0.1, 0.2, 0.5, 0.8], [0.55, 0.1, 1.0, 0.9]


async def draw_and_look(address: str) -> None:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(CHROMIUM))
        try:
            page = await browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(WITHIN_S * 1000)

            async def brightness(wanted: str) -> None:
                async with asyncio.timeout(WITHIN_S):
                    while True:
                        hidden, rest = await page.evaluate(BRIGHTEST, HIDDEN), await page.evaluate(BRIGHTEST, REST)
                        if rest > 90 and (hidden > 90 if wanted == "seen" else 0 <= hidden < 24):
                            return
                        await asyncio.sleep(0.1)

            async with asyncio.timeout(WITHIN_S):
                # The address is told before the page is served.
                while True:
                    try:
                        await page.goto(address)
                        break
                    except PlaywrightError:
                        await asyncio.sleep(0.2)
            await page.wait_for_selector('.tile[data-state="live"]')
            await brightness("seen")
            await page.get_by_role("button", name="Edit").click()
            await page.get_by_role("button", name="Mask").click()
            box = await page.locator(".drawing").bounding_box()
            assert box is not None
            left, top, right, bottom = HIDDEN
            for x, y in ((left, top), (right, top), (right, bottom), (left, bottom), (left, top)):
                await page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
            await page.get_by_role("button", name="Apply").click()
            await brightness("hidden")
            async with asyncio.timeout(WITHIN_S):
                # A module says only every two seconds how it is.
                while await page.evaluate(REPORTED) != ["mask-1 (black)"]:
                    await asyncio.sleep(0.1)
            back = page.get_by_role("button", name="Take the last change back")
            async with asyncio.timeout(WITHIN_S):
                # A class that is seen for the first time moves what is below the list: a click between may miss.
                while await back.count():
                    await back.click()
                    await asyncio.sleep(2)
            await brightness("seen")
        finally:
            await browser.close()


def test_a_mask_drawn_on_the_page_hides_what_is_under_it_and_taking_it_back_shows_it_again(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with home.running("synthetic://conveyor?seed=1&fps=10", "--viewer") as up:
        up.wait_until(lambda: re.search(r"vigie: page (\S+)", up.tail()), timeout_s=WITHIN_S, what="the page's address")
        asyncio.run(draw_and_look(re.findall(r"vigie: page (\S+)", up.log.read_text(encoding="utf-8"))[0]))
