"""The viewer's page in a real browser: what a person sees is what the device saw, and nothing else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from support.viewer_page import CHROMIUM, HW, House, browser_page, viewer_house
from vigie.contracts.detections import Detection, DetectionsItem, Mask, StageTimings
from vigie.contracts.events import ZoneEvent

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")

# Left, top, right, bottom of what is not clear in the overlay, and of what is bright in the picture, in frame pixels.
EXTENTS = """([name, hw]) => {
  const tile = document.querySelector(`[data-camera="${name}"]`);
  const extent = (canvas, is) => {
    const { width, height } = canvas, pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    let box = [1e9, 1e9, -1, -1];
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) if (is(pixels, 4 * (y * width + x)))
      box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x + 1), Math.max(box[3], y + 1)];
    return box.map((side, at) => side * (at % 2 ? hw[0] / height : hw[1] / width));
  };
  return {
    seq: Number(tile.querySelector(".picture").dataset.seq),
    drawn: extent(tile.querySelector(".boxes"), (p, at) => p[at + 3] > 200),
    seen: extent(tile.querySelector(".picture"), (p, at) => p[at] > 140),
  };
}"""
LIVE = '.tile[data-state="live"]'
BOXES_ONLY = "localStorage.setItem('vigie', JSON.stringify({ labels: false, fps: 10 }))"


async def holds(page: Page, expression: str, within_s: float = 30.0) -> None:
    """Wait until ``expression`` is true. Playwright's own wait evaluates strings in the page, which its CSP forbids."""
    deadline = time.monotonic() + within_s
    while not await page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < deadline, f"not within {within_s} s: {expression}"
        await asyncio.sleep(0.05)


async def running(house: House) -> asyncio.Task[None]:
    return asyncio.create_task(house.run())


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def test_pictures_move_and_boxes_lie_on_the_objects_of_the_very_frame(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        camera = house.add("dock")
        await page.add_init_script(BOXES_ONLY)
        flow = await running(house)
        await page.goto(house.address)
        await page.wait_for_selector(LIVE)
        first = (await page.evaluate(EXTENTS, ["dock", HW]))["seq"]
        await holds(page, f"vigie.state.pictures.dock.head.seq > {first + 5}")
        await stop(flow)
        for _ in range(3):
            # One frame at a time: what is in both canvases is then of one moment, and its truth is known.
            await asyncio.sleep(0.15)
            camera.show()
            await holds(
                page,
                f"document.querySelector('.picture').dataset.seq == {camera.seq}"
                " && vigie.state.pictures.dock.head.boxes",
            )
            found = await page.evaluate(EXTENTS, ["dock", HW])
            assert found["seen"] == pytest.approx(camera.box, abs=2)
            assert found["drawn"] == pytest.approx(camera.box, abs=3.5)  # half of the line lies outside of the box
        assert page.wrong == []


async def test_a_camera_that_dies_is_shown_with_its_cause_and_comes_back_by_itself(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        for name in ("dock", "gate", "yard", "ramp"):
            house.add(name)
        flow = await running(house)
        await page.goto(house.address)
        await holds(page, f"document.querySelectorAll('{LIVE}').length === 4")
        house.states["gate"] = {"state": "failed", "reason": "the camera refuses the connection (10.0.0.7:554)"}
        house.tell()
        began = time.monotonic()
        veil = page.locator('[data-camera="gate"] .veil')
        await veil.wait_for()
        shown_after = time.monotonic() - began
        assert "refuses the connection" in await veil.inner_text()
        assert await page.locator(LIVE).count() == 3
        assert "1 camera down" in await page.locator(".verdict").inner_text()
        house.states["gate"] = {"state": "streaming"}
        await holds(page, f"document.querySelectorAll('{LIVE}').length === 4")
        await stop(flow)
        await holds(page, "document.querySelectorAll('.tile .veil').length === 4")
        print(f"shown after {shown_after:.1f} s")


async def test_a_hub_and_a_module_that_do_not_answer_are_named(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        house.add("dock")
        flow = await running(house)
        await page.goto(house.address)
        await page.wait_for_selector(LIVE)
        house.extra["camera"] = {"metrics": {"vigie_hub_connected": 0.0}}
        await holds(page, "document.querySelector('.verdict').innerText.includes('Hub unreachable')")
        house.extra.clear()
        house.silent.add("sync")
        await holds(page, "document.querySelector('.verdict').innerText.includes('1 module away')")
        house.silent.clear()
        await holds(page, "document.querySelector('.verdict').innerText.includes('All well')")
        await stop(flow)


async def test_names_labels_and_reasons_of_others_are_text_and_never_run(tmp_path: Path) -> None:
    evil = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        house.add("dock", label=evil)
        house.states["dock"]["reason"] = evil
        house.states[evil] = {"state": "failed", "reason": evil}
        house.extra["inference"] = {"missing": {evil: evil}, "reported": {"model_state": {"id": evil}}}
        flow = await running(house)
        await page.goto(house.address)
        await page.wait_for_selector(LIVE)
        house.states["dock"]["frozen"] = True
        house.states[f"{evil}2"] = {"state": "failed", "reason": evil}
        house.happen(entered(evil, evil, severity="alert"), 1, 1, 0)
        for view in ("live/dock", "health", "timeline"):
            await page.goto(f"{house.address}/#/{view}")
            await holds(page, "document.querySelector('main').innerText.includes('onerror')")
        assert await page.evaluate("window.hurt") is None
        assert await page.evaluate("document.querySelectorAll('img[src=x], main script').length") == 0
        await stop(flow)


async def test_without_the_token_nothing_is_seen_and_it_is_in_no_address(tmp_path: Path) -> None:
    async with viewer_house(tmp_path, token="correct horse battery") as house, browser_page(house) as page:
        house.add("dock")
        flow = await running(house)
        await page.goto(house.address)
        await page.fill("input[name=token]", "wrong horse battery")
        await page.click("button.main")
        await page.wait_for_selector('[role="alert"]')
        refused = await page.evaluate(
            "new Promise((done) => { const s = new WebSocket(location.origin.replace('http', 'ws') + '/live');"
            " s.onopen = () => done('open'); s.onerror = () => done('refused'); })"
        )
        assert refused == "refused"
        assert await page.locator("canvas").count() == 0
        await page.fill("input[name=token]", "correct horse battery")
        await page.click("button.main")
        await page.wait_for_selector(LIVE)
        assert "horse" not in page.url
        assert "horse" not in await page.content()
        assert await page.evaluate("document.cookie") == ""  # out of reach of scripts
        await page.click('button[aria-label="Sign out"]')
        await page.wait_for_selector("input[name=token]")
        await stop(flow)


async def test_an_answer_that_comes_before_the_first_paint_is_shown(tmp_path: Path) -> None:
    """On a busy machine the browser paints late; nobody who is not signed in hears anything a second time."""
    late = (
        "const wait = window.setTimeout.bind(window), paint = window.requestAnimationFrame.bind(window);"
        "window.requestAnimationFrame = (run) => paint((at) => wait(() => run(at), 1500));"
        "window.setTimeout = (run, ms, ...rest) => wait(run, (ms || 0) + 1500, ...rest);"
    )
    async with viewer_house(tmp_path, token="correct horse battery") as house, browser_page(house) as page:
        await page.add_init_script(late)
        await page.goto(house.address)
        await page.wait_for_selector("input[name=token]")


async def test_a_zone_drawn_on_the_picture_is_shown_as_the_patch_that_it_is_and_not_pretended(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        house.add("dock")
        flow = await running(house)
        await page.goto(house.address)
        await page.wait_for_selector(LIVE)
        await page.get_by_role("button", name="Edit").click()
        await page.get_by_role("button", name="Zone").click()
        box = await page.locator(".drawing").bounding_box()
        assert box is not None
        for x, y in ((0.1, 0.2), (0.6, 0.2), (0.6, 0.8), (0.1, 0.2)):
            await page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        patch = await page.evaluate("JSON.parse(document.querySelector('.patch pre').innerText)")
        points = patch["cameras"]["dock"]["zones"]["zone-1"]["points"]
        expected = [0.1, 0.2, 0.6, 0.2, 0.6, 0.8]
        assert [side for point in points for side in point] == pytest.approx(expected, abs=0.01)
        assert "does not take" in await page.locator(".not-yet").inner_text()
        # Not a local hub: there is nothing to apply, and the page says who owns the twin.
        assert await page.get_by_role("button", name="Apply").count() == 0
        assert "the cloud owns desired properties" in await page.locator(".patches").inner_text()
        await stop(flow)


# What is in the middle of the first picture of an event, and how much of it is not black.
SNAPSHOT = """(where) => {
  const canvas = document.querySelector(`${where} canvas.snapshot`);
  if (!canvas || !canvas.width) return null;
  return [...canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
}"""


def entered(label: str = "nut", zone: str = "gate", **changes: Any) -> ZoneEvent:
    fields: dict[str, Any] = {
        "key": "1/new", "id": "1", "phase": "new", "camera": "dock", "trace": "x", "at": "2026-11-28T10:00:00.0Z",
        "started_at": "2026-11-28T10:00:00.0Z", "seconds": 0.4, "zone": zone, "track": "0badc0de-7", "label": label,
        "inside": 3,
    }  # fmt: skip
    return ZoneEvent(**{**fields, **changes})


async def test_an_event_is_told_on_the_picture_counted_at_its_zone_and_kept_with_its_picture(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        house.add("dock").track = "0badc0de-7"
        flow = await running(house)
        await page.goto(house.address)
        await page.wait_for_selector(LIVE)
        house.happen(entered(severity="alert"), 3, 40, 37)
        await page.wait_for_selector(".toasts .alert")
        assert await page.locator(".toasts").inner_text() == "nut entered gate"
        assert await page.evaluate("vigie.state.counts['dock/gate']") == [3, 40, 37]
        await holds(page, f"(({SNAPSHOT})('.latest') || [0])[0] > 200")
        await page.evaluate("location.hash = '/timeline'")
        row = page.locator(".event.with-picture")
        assert "Alert" in await row.inner_text()
        await holds(page, f"(({SNAPSHOT})('.timeline') || [0])[0] > 200")
        house.happen(entered(phase="end", key="1/end", severity="alert", seconds=12.0, inside=2), 2, 40, 38)
        await holds(page, "document.querySelector('.event.with-picture').innerText.includes('was in gate for 12 s')")
        assert await row.count() == 1
        await row.locator("button").click()
        assert "0badc0de-7" in await page.locator("dialog").inner_text()
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="detached")
        await stop(flow)
        assert page.wrong == []


async def test_masks_and_poses_are_drawn_where_the_object_is(tmp_path: Path) -> None:
    inked = """([x, y]) => {
      const canvas = document.querySelector(".boxes"), ratio = canvas.width / 640;
      return canvas.getContext("2d").getImageData(Math.round(x * ratio), Math.round(y * ratio), 1, 1).data[3];
    }"""
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        camera = house.add("dock", label="person")
        camera.mask = Mask((2, 2), (0, 1, 1, 1, 1))  # its left half
        await page.add_init_script(BOXES_ONLY)
        await page.goto(house.address)
        house.tell()
        await page.wait_for_selector(".tile")

        async def shown() -> None:
            await asyncio.sleep(0.15)
            camera.show()
            await holds(
                page, f"vigie.state.pictures.dock?.head.seq == {camera.seq} && vigie.state.pictures.dock.head.boxes"
            )

        await holds(page, "vigie.state.link == 'open'")
        while await page.evaluate("!vigie.state.pictures.dock?.head.boxes"):
            camera.show()
            house.tell()
            await asyncio.sleep(0.1)
        await shown()
        left, top, right, bottom = camera.box
        assert await page.evaluate(inked, [left + 20, (top + bottom) / 2]) > 60
        assert await page.evaluate(inked, [right - 20, (top + bottom) / 2]) == 0
        camera.mask = None
        camera.keypoints = tuple((320.0 if index < 15 else 500.0, 20.0 * index, 0.9) for index in range(17))
        await shown()
        assert await page.evaluate(inked, [320, 100]) > 200  # a joint
        camera.keypoints = tuple((x, y, 0.1) for x, y, _ in camera.keypoints)
        await shown()
        assert await page.evaluate(inked, [320, 100]) == 0


async def test_a_model_on_trial_is_drawn_over_the_very_frame_beside_the_serving_one(tmp_path: Path) -> None:
    colour = """([x, y]) => {
      const canvas = document.querySelector(".boxes"), ratio = canvas.width / 640, found = [];
      const pen = canvas.getContext("2d");
      for (let away = -4; away <= 4; away++)
        found.push([...pen.getImageData(Math.round((x + away) * ratio), Math.round(y * ratio), 1, 1).data]);
      return found.sort((a, b) => b[3] - a[3])[0];
    }"""
    tried = {"phase": "running", "model": "parts-2/1 on trial", "engine": "cpu/int8/1t", "trial": {
        "frames": 40, "matched": 120, "flipped": 1, "missing": 2, "new": 3, "agreement": 0.9721, "run_ms": 6.5,
        "serving_run_ms": 12.25}}  # fmt: skip
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        camera = house.add("dock")
        await page.add_init_script(BOXES_ONLY)
        house.extra["inference"] = {
            "reported": {"model_state": {"id": "parts-1", "shelf": ["parts"]}, "tryout_state": tried}
        }
        await page.goto(f"{house.address}/#/models")
        deadline = time.monotonic() + 30
        while await page.evaluate("!document.querySelector('.boxes')?.dataset.compared"):
            assert time.monotonic() < deadline
            house.tell()
            camera.show()
            left, top, right, bottom = (float(side) for side in camera.box)
            seen = Detection("nut", 0, 0.9, (left + 40, top, right + 40, bottom))
            house.trial.send(
                DetectionsItem(
                    "dock", camera.seq, f"dock-0badc0de-{camera.seq}", "2026-11-28T10:00:00.000000Z", 0, HW,
                    "parts-2/1 on trial", [seen], StageTimings(1.0, 2.0, 6.5),
                )
            )  # fmt: skip
            await asyncio.sleep(0.2)
        seq = int(await page.evaluate("document.querySelector('.boxes').dataset.compared"))
        left, top = 40 + (seq * 7) % 400, 30 + (seq * 3) % 200
        serving = await page.evaluate(colour, [left, top + 40])
        red, green, blue, _ = serving
        assert green > red + 60, "what serves is cyan"
        assert blue > red + 60
        # Dashed: some of its left side is drawn.
        pink = [await page.evaluate(colour, [left + 40, top + 30 + down]) for down in range(12)]
        assert any(red > green + 60 and alpha > 200 for red, green, _, alpha in pink)
        text = await page.locator(".models").inner_text()
        assert all(word in text for word in ("0.972", "6.5 ms", "12.3 ms", "120 objects equal"))
        assert page.wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_view_passes_the_accessibility_rules(tmp_path: Path, scheme: str) -> None:
    import axe_playwright_python

    axe = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    async with viewer_house(tmp_path) as house, browser_page(house, color_scheme=scheme) as page:
        house.add("dock")
        house.add("gate")
        house.states["gate"] = {"state": "failed", "reason": "no route to host"}
        flow = await running(house)
        await page.goto(house.address)
        await page.wait_for_selector(LIVE)
        await page.evaluate(axe)
        found: list[str] = []
        for view in ("live", "live/dock", "health", "timeline", "models", "setup"):
            await page.evaluate(f"location.hash = '/{view}'")
            await page.wait_for_timeout(300)
            if view == "live/dock":
                await page.get_by_role("button", name="Edit").click()
            result = await page.evaluate("axe.run()")
            found += [
                f"{view}: {one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]}"
                for one in result["violations"]
                if one["impact"] in {"serious", "critical"}
            ]
        assert found == []
        await stop(flow)


async def test_a_phone_shows_everything_without_scrolling_sideways(tmp_path: Path) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
    async with viewer_house(tmp_path) as house, browser_page(house, **phone) as page:
        for name in ("dock", "gate"):
            house.add(name)
        flow = await running(house)
        await page.goto(house.address)
        await page.wait_for_selector(LIVE)
        for view in ("live", "live/dock", "health", "timeline", "models", "setup"):
            await page.evaluate(f"location.hash = '/{view}'")
            await page.wait_for_timeout(200)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, view
        await stop(flow)


async def test_the_first_load_is_small(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, browser_page(house) as page:
        await page.goto(house.address, wait_until="networkidle")
        sizes = await page.evaluate(
            "[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]"
            ".map((one) => one.transferSize)"
        )
        print(f"{sum(sizes)} bytes in {len(sizes)} requests")
        assert 10_000 < sum(sizes) <= 150_000
        assert page.wrong == []
