"""The page of a running system: pictures with what was seen in them, and a change made and taken back from it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support import models
from support.product import Home
from support.viewer_page import CHROMIUM

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


async def news(socket: aiohttp.ClientWebSocketResponse, wanted: Any) -> None:
    """Until a piece of news for which ``wanted(news)`` holds; pictures on the way are acknowledged."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                length = int.from_bytes(message.data[:4], "big")
                await socket.send_json({"drawn": json.loads(message.data[4 : 4 + length])["camera"]})
                continue
            assert message.type is aiohttp.WSMsgType.TEXT, message
            if wanted(json.loads(message.data)):
                return


def of_hub(*, up: bool) -> Any:
    return lambda told: told["kind"] == "numbers" and told["hub"].get("viewer") is up


async def try_a_dropped_file(session: aiohttp.ClientSession, address: str, model: bytes) -> None:
    """It runs beside what serves, which stays; by its name nothing leads to it."""
    head = json.dumps({"name": "mine.onnx", "choices": {"labels": ["nut", "bolt", "screw"]}}).encode()
    async with session.post(
        f"{address}/api/models",
        data=len(head).to_bytes(4, "big") + head + model,
        headers={"Content-Type": "application/octet-stream"},
    ) as answer:
        told = await answer.json()
        assert answer.status == 200, told
    call = {"module": "inference", "method": "try_model"}
    begun = await posted(session, f"{address}/api/method", {**call, "payload": {"path": told["imported"]["path"]}})
    assert begun["status"] == 200, begun
    assert (begun["payload"]["phase"], begun["payload"]["model"].partition("/")[0]) == ("running", "mine-1")
    ended = await posted(session, f"{address}/api/method", {**call, "method": "end_try"})
    assert ended["payload"]["phase"] == "ended"
    named = await posted(session, f"{address}/api/method", {**call, "payload": {"name": "mine"}})
    assert named["status"] == 400
    assert "there is no bundle 'mine'" in named["payload"]["error"]


async def look(address: str, kill_hub: Callable[[], None], model: bytes) -> None:
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(WITHIN_S):
            while True:
                try:
                    async with session.get(f"{address}/api/me") as answer:
                        me = await answer.json()
                        assert {**me, "drop_bytes_max": 0} == {
                            "signed_in": True, "token_needed": False, "edits": True, "drops": True, "drop_bytes_max": 0,
                        }  # fmt: skip
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.1)
        async with session.ws_connect(f"{address}/live") as socket:
            await socket.send_json({"look": {"conveyor": {"width": 640, "fps": 10}}})
            seen = await next_picture(socket, lambda head: head["boxes"])
            assert seen["hw"] == [480, 640]
            assert all(0 <= side <= 640 for box in seen["boxes"] for side in box[3:7])
            await posted(session, f"{address}/api/twin", {"module": "inference", "patch": {"score": 1.0}})
            await next_picture(socket, lambda head: head["boxes"] == [])
            await posted(session, f"{address}/api/undo", {})
        await try_a_dropped_file(session, address, model)
        async with session.ws_connect(f"{address}/live") as socket:
            await socket.send_json({"look": {"conveyor": {"width": 640, "fps": 10}}})
            seen = await next_picture(socket, lambda head: head["boxes"])
            kill_hub()
            began = time.monotonic()
            await news(socket, of_hub(up=False))
            print(f"a killed hub is told after {time.monotonic() - began:.1f} s")
            await news(socket, of_hub(up=True))
            # The page that was open all the while shows frames of the time after, with what was found in them.
            await next_picture(socket, lambda head: head["boxes"] and head["seq"] > seen["seq"] + 20)


@pytest.mark.timeout(600)
def test_the_page_shows_what_was_seen_changes_the_twin_tries_a_dropped_file_and_outlives_a_killed_hub(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home")
    with home.running("synthetic://conveyor?seed=1&fps=10", "--viewer") as up:
        up.wait_until(lambda: re.search(r"vigie: page (\S+)", up.tail()), timeout_s=WITHIN_S, what="the page's address")
        asyncio.run(
            look(
                re.findall(r"vigie: page (\S+)", up.log.read_text(encoding="utf-8"))[0],
                lambda: os.kill(int(up.hub()["pid"]), signal.SIGKILL),
                models.save(models.yolov8(), tmp_path).read_bytes(),
            )
        )
        # What the page looks at goes past the hub like the flow itself.
        for module, output in (("camera", "preview"), ("inference", "overlay")):
            assert up.metrics(module)[f'vigie_doorbell_messages_total{{output="{output}"}}'] > 0


async def draw_a_zone(address: str) -> None:
    """As a person does: edit, choose the shape, click its corners, apply."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM))
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(WITHIN_S * 1000)
        await page.goto(address)
        await page.wait_for_selector('.tile[data-state="live"]')
        await page.get_by_role("button", name="Edit").click()
        await page.get_by_role("button", name="Zone").click()
        box = await page.locator(".drawing").bounding_box()
        assert box is not None
        for x, y in ((0.3, 0.02), (0.7, 0.02), (0.7, 0.98), (0.3, 0.98), (0.3, 0.02)):
            await page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        await page.get_by_role("button", name="Apply").click()
        await page.get_by_text("Applied: desired properties").wait_for()
        await browser.close()


@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
@pytest.mark.timeout(400)
def test_a_zone_drawn_on_the_page_makes_events_upstream(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with home.running("synthetic://conveyor?seed=1&fps=10", "--viewer", "--upstream", "events") as up:
        up.wait_until(lambda: re.search(r"vigie: page (\S+)", up.tail()), timeout_s=WITHIN_S, what="the page's address")
        up.wait_until(lambda: up.upstream_count() > 0, timeout_s=WITHIN_S, what="the first events")
        up.wait_until(lambda: any(one["type"] == "object" for one in home.items()), timeout_s=WITHIN_S, what="objects")
        assert not [one for one in home.items() if one["type"] == "zone"]
        asyncio.run(draw_a_zone(re.findall(r"vigie: page (\S+)", up.log.read_text(encoding="utf-8"))[0]))

        def left() -> list[dict[str, Any]]:
            return [one for one in home.items() if one["type"] == "zone" and one["phase"] == "end"]

        up.wait_until(left, timeout_s=WITHIN_S, what="a part that has left the zone")
    [first, *_] = left()
    assert (first["zone"], first["camera"]) == ("zone-1", "conveyor")
    assert first["seconds"] >= 0.3
    assert {message["body"]["schema"] for message in home.upstream()} == {"vigie.events/1"}
