"""/metrics, /healthz and /readyz of a module, and the file that says where they are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from aiohttp import web

from vigie.config.atomic import write_atomically
from vigie.errors import EndpointError
from vigie.health import Health
from vigie.log import get_logger
from vigie.metrics import CONTENT_TYPE, Metrics

log = get_logger(__name__)

# A folder that could not be written at the start is tried again this often.
WRITE_AGAIN_S = 5.0


class Endpoint(msgspec.Struct, frozen=True):
    """Content of ``http.json``: where this process answers, and which process that is."""

    host: str
    port: int
    pid: int


@asynccontextmanager
async def serve_endpoints(
    address: tuple[str, int], metrics: Metrics, health: Health, state: Path, *, again_s: float = WRITE_AGAIN_S
) -> AsyncIterator[Endpoint]:
    """Serve until left; port 0 takes a free one. ``state/http.json`` names it and is removed on leaving.

    A state folder that cannot be written is told (log, note in /readyz); the module works on what it has.
    Raises: EndpointError: the address cannot be bound.
    """

    async def get_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def get_health(_request: web.Request) -> web.Response:
        return _verdict(health.stalled(), "stalled")

    async def get_ready(_request: web.Request) -> web.Response:
        return _verdict(health.missing(), "reasons", health.notes())

    app = web.Application()
    app.add_routes(
        [
            web.get("/metrics", get_metrics),
            web.get("/healthz", get_health),
            web.get("/readyz", get_ready),
        ]
    )
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    host, port = address
    later: asyncio.Task[None] | None = None
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise EndpointError(f"{host}:{port}", error.strerror or str(error), "VIGIE_HTTP") from error
        endpoint = Endpoint(host, runner.addresses[0][1], os.getpid())
        path = state / "http.json"
        try:
            write_atomically(path, msgspec.json.encode(endpoint))
        except OSError as error:
            reason = f"{state} cannot be written: {error.strerror or error}; nothing new is kept there"
            health.note("state", reason)
            log.warning("state_not_written", file=str(path), reason=reason, port=endpoint.port)
            later = asyncio.create_task(_write_later(path, endpoint, health, again_s), name="endpoints.write")
        yield endpoint
    finally:
        if later is not None:
            later.cancel()
        with suppress(OSError):  # a folder that cannot be written was the reason to leave
            (state / "http.json").unlink(missing_ok=True)
        await runner.cleanup()


async def _write_later(path: Path, endpoint: Endpoint, health: Health, again_s: float) -> None:
    """Until the folder takes it: who looks for the module finds it by this file."""
    while True:
        await asyncio.sleep(again_s)
        with suppress(OSError):
            await asyncio.to_thread(write_atomically, path, msgspec.json.encode(endpoint))
            health.note("state", "")
            log.info("state_written_again", file=str(path))
            return


def _verdict(problems: dict[str, str], name: str, notes: dict[str, str] | None = None) -> web.Response:
    body = {"ok": not problems, name: problems, **({"notes": notes} if notes else {})}
    return web.Response(
        body=msgspec.json.encode(body), status=503 if problems else 200, content_type="application/json"
    )
