"""The pictures of the viewer's page in README and docs, taken of a running system: see docs/viewer.md.

./vigie up 'synthetic://conveyor?seed=3&fps=15' &
.venv/bin/python tests/support/page_pictures.py http://127.0.0.1:8710 docs/pictures
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
LIVE = '.tile[data-state="live"]'
WIDTH = 1280
# A zone and a line on the belt, so that there are events to show.
RULES = {
    "cameras": {
        "conveyor": {
            "zones": {"pick": {"points": [[0.3, 0.07], [0.62, 0.07], [0.62, 0.93], [0.3, 0.93]]}},
            "lines": {"gate": {"points": [[0.82, 0.07], [0.82, 0.93]]}},
        }
    }
}
DRAW = """(patch) => fetch("/api/twin", { method: "POST", headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ module: "sync", patch }) })"""


def main(address: str, folder: Path) -> None:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        rules = browser.new_context().new_page()
        rules.goto(address)
        rules.wait_for_selector(LIVE)
        rules.evaluate(DRAW, RULES)
        rules.wait_for_timeout(6000)
        rules.context.close()
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": WIDTH, "height": 760}, color_scheme=scheme)
            page = context.new_page()
            page.goto(address)
            page.wait_for_selector(LIVE)
            _with_boxes(page, folder / f"live-{scheme}.webp")
            page.evaluate("location.hash = '/health'")
            page.wait_for_timeout(4000)
            _save(page, folder / f"health-{scheme}.webp")
            page.evaluate("location.hash = '/timeline'")
            page.wait_for_timeout(8000)
            _save(page, folder / f"timeline-{scheme}.webp")
            context.close()
        phone = browser.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True)
        page = phone.new_page()
        page.goto(address)
        page.wait_for_selector(LIVE)
        _with_boxes(page, folder / "phone.webp")
        browser.close()


def _with_boxes(page: Page, path: Path) -> None:
    """Keep a picture in which enough was found; on a busy machine some are shown before inference has answered."""
    enough = "Object.values(vigie.state.pictures).every((one) => one.head.boxes?.length > 8)"
    for _ in range(300):
        if page.evaluate(enough):
            _save(page, path)
            if page.evaluate(enough) and not page.locator(".banner, .veil").count():
                return
        page.wait_for_timeout(100)


def _save(page: Page, path: Path) -> None:
    """As WebP: a page is flat colour and one photograph, 60 KB instead of 600."""
    png = np.frombuffer(io.BytesIO(page.screenshot()).getbuffer(), np.uint8)
    path.write_bytes(cv2.imencode(".webp", cv2.imdecode(png, cv2.IMREAD_COLOR), [cv2.IMWRITE_WEBP_QUALITY, 82])[1])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
