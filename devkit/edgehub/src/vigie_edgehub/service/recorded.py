"""The upstream record over HTTP, as JSON Lines; readers on the same machine may read the file instead."""

from __future__ import annotations

import asyncio

from aiohttp import web

from vigie_edgehub.ports import HubRefusalError
from vigie_edgehub.service.exchange import ENDING, SINK, answer
from vigie_edgehub.upstream import SqliteSink, UpstreamFilter, UpstreamReader, to_json_line

_POLL_S = 0.05


def add_routes(app: web.Application) -> None:
    app.router.add_get("/vigie/upstream", messages)
    app.router.add_get("/vigie/upstream/counters", counters)


async def counters(request: web.Request) -> web.Response:
    sink = request.app[SINK]
    return answer({"last_sequence": sink.last_sequence, **sink.counters})


async def messages(request: web.Request) -> web.StreamResponse:
    """Stream messages, oldest first, one JSON object a line.

    Query: ``module``, ``output``, ``since``, ``until`` (seconds since the epoch), ``after`` (sequence number),
    ``last`` (the newest N), ``limit``, ``follow=true`` (never ends).
    """
    sink = request.app[SINK]
    wanted = UpstreamFilter(
        module=request.query.get("module"),
        output=request.query.get("output"),
        since=_number(request, "since"),
        until=_number(request, "until"),
    )
    follow = request.query.get("follow", "").lower() in {"1", "true"}
    left = _number(request, "limit")
    reader = await asyncio.to_thread(UpstreamReader, sink.file)
    try:
        after = int(_number(request, "after") or 0)
        last = _number(request, "last")
        if last is not None:
            after = max(after, await asyncio.to_thread(reader.start_of_last, int(last), wanted))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        while left is None or left > 0:
            newest = sink.last_sequence
            size = 64 if left is None else min(64, int(left))
            page = await asyncio.to_thread(reader.page, wanted, after=after, limit=size)
            if page:
                after = page[-1].sequence_number
                left = None if left is None else left - len(page)
                await response.write(b"".join(map(to_json_line, page)))
                continue
            after = max(after, newest)  # nothing wanted up to there: not looked at again
            if not follow or not await _something_new(request, sink, after):
                break
        await response.write_eof()
    finally:
        reader.close()
    return response


async def _something_new(request: web.Request, sink: SqliteSink, seen: int) -> bool:
    """Wait for a message beyond ``seen``; False when the reader has gone or the hub ends."""
    while sink.last_sequence <= seen:
        if request.transport is None or request.transport.is_closing() or request.app[ENDING].is_set():
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _number(request: web.Request, name: str) -> float | None:
    text = request.query.get(name)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise HubRefusalError(f"'{name}' must be a number, got '{text}'") from None
