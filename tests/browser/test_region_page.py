"""A detection region drawn on the picture is the twin patch of preprocess that it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support.viewer_page import CHROMIUM, browser_page, viewer_house

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")


async def test_two_corners_make_a_region_and_the_next_one_takes_its_place(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        house.add("dock")
        flow = asyncio.create_task(house.run())
        await page.goto(house.address)
        await page.wait_for_selector('.tile[data-state="live"]')
        await page.get_by_role("button", name="Edit").click()
        for corners, expected in (
            (((0.8, 0.7), (0.2, 0.1)), [0.2, 0.1, 0.8, 0.7]),
            (((0.5, 0.5), (1.0, 1.0)), [0.5, 0.5, 1, 1]),
        ):
            await page.get_by_role("button", name="Region", exact=True).click()
            box = await page.locator(".drawing").bounding_box()
            assert box is not None
            for x, y in corners:
                await page.mouse.click(box["x"] + x * (box["width"] - 1), box["y"] + y * (box["height"] - 1))
            assert await page.locator(".patch").count() == 1
            patch = await page.evaluate("JSON.parse(document.querySelector('.patch pre').innerText)")
            assert patch["regions"]["dock"]["box"] == pytest.approx(expected, abs=0.01)
            assert list(patch) == ["regions"]
        assert await page.locator(".patch-head b").inner_text() == "preprocess"
        assert await page.locator(".not-yet").count() == 0  # its schema has the property
        flow.cancel()
        await asyncio.wait([flow])
        assert page.wrong == []
