"""A model file dropped on the page: who may, how much, and where it goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support import models

playwright = pytest.importorskip("playwright", reason="Playwright is not installed")

from support.viewer_page import viewer_house  # noqa: E402
from vigie.contracts.dropped import DROPPED_BYTES_MAX  # noqa: E402
from vigie_devkit.local.model_desk import FOLDER_NAME, serve_model_desk  # noqa: E402

BYTES = {"Content-Type": "application/octet-stream"}


def body(content: bytes, name: str = "best.onnx", **choices: Any) -> bytes:
    head = json.dumps({"name": name, "choices": choices}).encode()
    return len(head).to_bytes(4, "big") + head + content


@asynccontextmanager
async def desk_and_page(folder: Path, **page: Any) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    (folder / "run").mkdir()
    async with (
        serve_model_desk(folder / "run", lambda _: None),
        viewer_house(folder, model_desk=folder / "run", **page) as house,
        aiohttp.ClientSession() as session,
    ):
        yield f"{house.address}/api/models", session


async def test_a_file_goes_to_the_desk_and_its_refusal_and_its_import_come_back(tmp_path: Path) -> None:
    content = models.save(models.yolov8(), tmp_path).read_bytes()
    async with desk_and_page(tmp_path) as (url, session):
        async with session.post(url, data=body(content), headers=BYTES) as answer:
            assert answer.status == 422
            refused = await answer.json()
        assert "pass --labels with 3 names" in refused["reason"]
        async with session.post(url, data=body(content, labels=["a", "b", "c"]), headers=BYTES) as answer:
            assert answer.status == 200
            imported = (await answer.json())["imported"]
        assert Path(imported["path"]).is_relative_to(tmp_path / "run" / FOLDER_NAME)
        assert imported["name"] == "best"


async def test_on_a_device_a_file_is_refused_with_where_it_goes(tmp_path: Path) -> None:
    async with viewer_house(tmp_path) as house, aiohttp.ClientSession() as session:
        async with session.post(f"{house.address}/api/models", data=body(b"x"), headers=BYTES) as answer:
            assert answer.status == 409
            assert "model update" in (await answer.json())["error"]
        async with session.get(f"{house.address}/api/me") as answer:
            assert (await answer.json())["drops"] is False


async def test_nobody_drops_a_file_without_the_token_or_from_another_site(tmp_path: Path) -> None:
    async with desk_and_page(tmp_path, token="correct horse battery") as (url, session):
        async with session.post(url, data=body(b"x"), headers=BYTES) as answer:
            assert answer.status == 401
        foreign = {**BYTES, "Origin": "http://evil.example.com"}
        async with session.post(url, data=body(b"x"), headers=foreign) as answer:
            assert answer.status == 403
        assert not list((tmp_path / "run").glob(f"{FOLDER_NAME}/*"))


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (body(b"x"), {"Content-Type": "text/plain"}, 415),  # what a form of another site could send unasked
        (body(b"x"), {**BYTES, "Content-Length": str(DROPPED_BYTES_MAX + (1 << 20))}, 413),
        (b"\xff\xff\xff\xff", BYTES, 400),
        (b"\x00\x00\x00\x02[]x", BYTES, 400),
        (body(b""), BYTES, 400),
        (body(b"x", size="0x0"), BYTES, 400),
        (body(b"x", path="/etc/passwd"), BYTES, 400),
        (b"\x00", BYTES, 400),
    ],
)
async def test_what_is_not_a_file_of_a_bounded_size_is_refused(
    tmp_path: Path, content: bytes, headers: dict[str, str], status: int
) -> None:
    async with desk_and_page(tmp_path) as (url, session):
        async with session.post(url, data=content, headers=headers) as answer:
            assert answer.status == status, await answer.text()
        assert not list((tmp_path / "run").glob(f"{FOLDER_NAME}/*"))


async def test_a_body_without_a_length_is_refused(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield body(b"x")

    async with desk_and_page(tmp_path) as (url, session), session.post(url, data=pieces(), headers=BYTES) as answer:
        assert answer.status == 411


async def test_a_local_run_that_has_ended_is_told_as_that(tmp_path: Path) -> None:
    async with viewer_house(tmp_path, model_desk=tmp_path / "gone") as house, aiohttp.ClientSession() as session:
        for _ in range(2):  # and it is no longer busy afterwards
            async with session.post(f"{house.address}/api/models", data=body(b"x"), headers=BYTES) as answer:
                assert answer.status == 503
                assert "./vigie up" in (await answer.json())["error"]
            await asyncio.sleep(0)
