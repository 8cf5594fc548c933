"""The timeline: outages of cameras as the camera module tells them, and what the cloud changed and when."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from support.viewer_page import CHROMIUM, House, browser_page, viewer_house
from vigie.contracts.events import CameraDown, CameraUp

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")


async def comes(house: House, page: Page, expression: str) -> None:
    """Every module says how it is until ``expression`` is true on the page."""
    deadline = time.monotonic() + 60
    while not await page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < deadline, f"never: {expression}"
        house.tell()
        await asyncio.sleep(0.1)


def outage(**changes: Any) -> dict[str, Any]:
    return {
        "id": "gate-1-outage-1", "camera": "gate", "at": "2026-11-28T10:00:00.0Z", "seconds": 0.0, "cause": "refused",
        "started_at": "2026-11-28T10:00:00.0Z", **changes,
    }  # fmt: skip


async def test_an_outage_is_one_row_that_says_why_and_in_the_end_how_long(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        house.add("gate")
        await page.goto(f"{house.address}/#/timeline")
        await comes(house, page, "vigie.state.link === 'open'")
        house.happen(CameraDown(key="event/camera-down/new/1", phase="new", severity="alert", **outage()))
        row = page.locator(".event", has_text="gate gives no pictures: nothing listens there")
        await row.wait_for()
        assert "Alert" in await row.inner_text()
        ended = outage(at="2026-11-28T10:02:05.0Z", seconds=125.0)
        house.happen(CameraUp(key="event/camera-up/end/2", phase="end", losses=3, **ended))
        row = page.locator(".event", has_text="gate is well again after 2 min (nothing listens there; lost 3 times)")
        await row.wait_for()
        assert await page.locator(".event.with-picture").count() == 1
        await page.get_by_role("button", name="Problems").click()
        assert await row.count() == 1
        await page.get_by_role("button", name="Zones and lines").click()
        assert await row.count() == 0
        assert page.wrong == []


async def test_what_the_cloud_changed_is_shown_path_by_path_with_when(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        house.add("dock")
        house.extra["inference"] = {"desired": {"score": 0.4}}
        await page.goto(f"{house.address}/#/timeline")
        await comes(house, page, "vigie.state.modules.inference")
        change = {"version": 7, "changed": [{"path": "score", "from": 0.4, "to": 0.65}]}
        house.extra["inference"] = {"twin_version": 7, "desired": {"score": 0.65}, "reported": {"last_change": change}}
        await comes(house, page, "document.querySelector('.event .change')")
        row = await page.locator(".event", has=page.locator(".change")).inner_text()
        at = await page.evaluate(
            "new Date(vigie.state.events.find((event) => event.code === 'twin').at)"
            ".toLocaleTimeString('en', { hour12: false })"
        )
        assert all(words in row for words in (at, "Inference took configuration 7", "score", "0.4", "0.65"))
        await page.evaluate("location.hash = '/health'")
        card = page.locator(".changes li", has_text="Inference")
        await card.wait_for()
        text = await card.inner_text()
        assert all(words in text for words in ("version 7", at, "score", "0.4", "0.65"))
        assert page.wrong == []
