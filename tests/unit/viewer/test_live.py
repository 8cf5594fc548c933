"""The live connection without a browser: what it costs when nobody looks, reads or may."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from support.modules import until

playwright = pytest.importorskip("playwright", reason="Playwright is not installed")

from support.viewer_page import House, viewer_house  # noqa: E402
from vigie_viewer.live import PageConnection  # noqa: E402


def asked_for(house: House) -> list[dict[str, int]]:
    return [demand["cameras"] for demand in house.demands()]


async def test_nobody_looks_and_no_camera_is_asked_for_anything(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, aiohttp.ClientSession() as session:
        house.add("dock")
        await until(house.demands, what="a first question")
        async with session.ws_connect(f"{house.address}/live") as socket:
            await socket.send_json({"look": {"dock": {"width": 640, "fps": 10}}})
            await until(lambda: {"dock": 1} in asked_for(house), what="frames of the dock asked for")
        await until(lambda: {} in asked_for(house), what="frames no longer asked for")


async def test_a_page_that_draws_nothing_gets_two_pictures_and_the_flow_does_not_wait(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, aiohttp.ClientSession() as session:
        camera = house.add("dock")
        async with session.ws_connect(f"{house.address}/live") as socket:
            await socket.send_json({"look": {"dock": {"width": 640, "fps": 10}}})
            await until(lambda: {"dock": 1} in asked_for(house), what="frames of the dock asked for")
            pictures = []

            async def read() -> None:
                while True:
                    message = await socket.receive()
                    if message.type is aiohttp.WSMsgType.BINARY:
                        pictures.append(message.data)

            reading = asyncio.create_task(read())

            def shown_and_got(count: int) -> bool:
                camera.show()
                return len(pictures) >= count

            await until(lambda: shown_and_got(2), what="two pictures")
            for _ in range(20):
                camera.show()
                await asyncio.sleep(0.02)
            await socket.send_json({"drawn": "dock"})
            await until(lambda: shown_and_got(3), what="a picture for the one that was drawn")
            numbers = [json.loads(one[4 : 4 + int.from_bytes(one[:4], "big")])["seq"] for one in pictures]
            assert numbers == sorted(set(numbers))
            assert len(pictures) == 3
            reading.cancel()


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Host": "vigie.example.com"}, "another name"),
        ({"Origin": "http://evil.example.com"}, "another origin"),
    ],
)
async def test_a_page_of_another_site_may_not_ask(tmp_path: Path, headers: dict[str, str], why: str) -> None:
    async with viewer_house(tmp_path) as house, aiohttp.ClientSession() as session:
        for path in ("/", "/api/me", "/live"):
            async with session.get(f"{house.address}{path}", headers=headers) as answer:
                assert answer.status == 403
                assert why in await answer.text()


async def test_every_answer_carries_a_policy_without_inline_scripts(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, aiohttp.ClientSession() as session:
        for path in ("/", "/assets/app.js", "/assets/../config.py", "/assets/none.js", "/api/me"):
            async with session.get(f"{house.address}{path}") as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "script-src 'self'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_message_that_is_no_message_closes_the_connection_and_nothing_else(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{house.address}/live") as socket:
            await socket.send_str('{"look": {"dock": {"width": -1, "fps": 10}}}')
            async for _ in socket:
                pass
            assert socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION
        async with session.get(f"{house.address}/api/me") as answer:
            me = await answer.json()
            assert (me["signed_in"], me["token_needed"], me["edits"], me["drops"]) == (True, False, False, False)


async def test_a_page_that_reads_slowly_loses_news_gets_everything_anew_and_then_news_again() -> None:
    sent: list[str] = []
    gate = asyncio.Event()

    class Socket:
        async def send_str(self, text: str) -> None:
            await gate.wait()
            sent.append(text)

    connection = PageConnection(Socket())  # type: ignore[arg-type]  # of a socket only this is used
    connection.everything = lambda: [f"all {number}" for number in range(20)]
    running = asyncio.create_task(connection.run())
    for number in range(30):
        connection.tell(f"news {number}")
    gate.set()
    await until(lambda: sent.count("all 19") == 1)
    connection.tell("later")
    await until(lambda: sent[-1] == "later")
    assert [text for text in sent if text.startswith("all")] == [f"all {number}" for number in range(20)]
    assert "news 29" not in sent
    running.cancel()
