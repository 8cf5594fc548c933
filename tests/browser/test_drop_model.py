"""An ONNX file dropped on the page: imported beside what serves, refused with its choice, not taken on a device."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from playwright.async_api import Page

from support import models
from support.viewer_page import CHROMIUM, browser_page, viewer_house
from vigie_devkit.local.model_desk import serve_model_desk

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")

# As a person does: the file is dragged over the page and let go.
DROP = """([name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], name));
  for (const kind of ["dragover", "drop"])
    document.querySelector("main").dispatchEvent(
      new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


async def drop(page: Page, name: str, content: bytes) -> None:
    await page.wait_for_selector(".drop")
    await page.evaluate(DROP, [name, base64.b64encode(content).decode()])


async def test_a_file_is_refused_with_its_choice_and_imported_once_it_is_made(tmp_path: Path) -> None:
    content = models.save(models.yolov8(), tmp_path, "a.onnx").read_bytes()
    run = tmp_path / "run"
    run.mkdir()
    evil = "<img src=x onerror=window.hurt=1>.onnx"
    async with (
        serve_model_desk(run, lambda _: None),
        viewer_house(tmp_path, model_desk=run) as house,
        browser_page(house) as page,
    ):
        house.extra["inference"] = {"reported": {"model_state": {"id": "parts-1", "shelf": ["parts"]}}}
        await page.goto(f"{house.address}/#/models")
        await drop(page, evil, content)
        bad = page.locator(".drop .found.bad")
        await bad.wait_for(timeout=90_000)
        assert "pass --labels with 3 names" in await bad.inner_text()
        assert evil in await bad.inner_text()
        await page.fill("textarea[name=labels]", "nut\nbolt\n\nscrew\n")
        await page.select_option("select[name=align]", "top_left")
        await page.get_by_role("button", name="Import again").click()
        good = page.locator(".drop .found.good")
        await good.wait_for(timeout=90_000)
        text = await good.inner_text()
        expected = ("detection, yolov8, 64x64, 3 classes", "top_left", "It serves nothing")
        assert [words for words in expected if words not in text] == [], text
        assert await page.evaluate("window.hurt") is None
        # What is refused here is only that no hub is there to ask inference: 409 and 422 are the page's own answers.
        assert [one for one in page.wrong if "422" not in one and "409" not in one] == []


async def test_on_a_device_the_page_says_where_a_model_goes_and_sends_nothing(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{house.address}/#/models")
        await drop(page, "best.onnx", b"some model")
        await page.wait_for_selector(".drop .wrong")
        assert "by a model update only" in await page.locator(".drop .wrong").inner_text()
        assert await page.locator(".drop input[type=file]").count() == 0
        assert [url for url in asked if "/api/models" in url] == []
        assert page.wrong == []
