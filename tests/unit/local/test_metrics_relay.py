"""What the one published port answers for the modules behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from vigie_devkit.local.metrics_relay import relay


@asynccontextmanager
async def relayed() -> AsyncIterator[TestClient]:
    """A module that is up and unready, one that is away, and the relay before both."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text="vigie_build_info 1\n", content_type="text/plain", charset="utf-8")

    async def unready(_: web.Request) -> web.Response:
        return web.json_response({"missing": {"model": "not loaded yet"}}, status=503)

    module = web.Application()
    module.add_routes([web.get("/metrics", metrics), web.get("/readyz", unready), web.get("/secret", metrics)])
    async with TestServer(module) as server:
        addresses = {"camera": str(server.make_url("")).rstrip("/"), "sync": "http://127.0.0.1:1"}
        async with TestClient(TestServer(relay(addresses))) as client:
            yield client


async def answered(path: str, **headers: str) -> tuple[int, str, str]:
    async with relayed() as client, client.get(path, headers=headers) as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_metrics_of_a_module_come_with_their_own_type() -> None:
    assert await answered("/camera/metrics") == (200, "text/plain; charset=utf-8", "vigie_build_info 1\n")


async def test_an_unready_module_is_unready_here_too_with_its_reason() -> None:
    status, _, text = await answered("/camera/readyz")
    assert (status, "not loaded yet" in text) == (503, True)


async def test_a_module_that_is_away_is_a_bad_gateway_that_says_where_to_look() -> None:
    status, _, text = await answered("/sync/readyz")
    assert status == 502
    assert text.startswith("module 'sync' does not answer (")
    assert text.endswith("see: docker compose ps sync\n")


@pytest.mark.parametrize("path", ["/camera/secret", "/camera", "/camera/metrics/../secret", "/camera/metrics/x"])
async def test_nothing_else_of_a_module_is_reachable(path: str) -> None:
    assert (await answered(path))[0] == 404


async def test_an_unknown_module_is_answered_with_the_known_ones() -> None:
    status, _, text = await answered("/engine/metrics")
    assert (status, text) == (404, "module 'engine' is unknown; known: camera, sync\n")


async def test_the_first_page_lists_every_address() -> None:
    text = (await answered("/"))[2]
    assert text.splitlines()[:3] == ["/camera/metrics", "/camera/healthz", "/camera/readyz"]


async def test_a_name_that_a_strangers_page_could_use_is_refused() -> None:
    assert (await answered("/camera/metrics", Host="attacker.example:9600"))[0] == 403
    for own in ("localhost:9600", "127.0.0.1:9600", "[::1]:9600"):
        assert (await answered("/camera/metrics", Host=own))[0] == 200


async def test_only_reading_is_served() -> None:
    async with relayed() as client, client.post("/camera/metrics") as response:
        assert response.status == 405
