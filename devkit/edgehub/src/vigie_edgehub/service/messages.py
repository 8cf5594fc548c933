"""Messages by hand: one sent into an input or as a module's output, and those of a module watched as they come."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Literal

import msgspec
from aiohttp import web

from vigie_edgehub.message import Message
from vigie_edgehub.ports import HubRefusalError
from vigie_edgehub.service.exchange import CONTROL, ENDING, answer, read_as
from vigie_edgehub.upstream.record import build_record, endpoint_properties, to_json_line

_WATCHED_AT_MOST = 1_000  # messages that a slow reader of `watch` may be behind before the oldest are left out


class SentMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``input``: straight into an input of ``module``, whatever the routes. ``output``: as ``module`` would send it."""

    module: str
    input: str | None = None
    output: str | None = None
    body: str = ""
    body_encoding: Literal["utf-8", "base64"] = "utf-8"
    properties: dict[str, str] = {}
    content_type: str | None = None
    content_encoding: str | None = None


def add_routes(app: web.Application) -> None:
    app.router.add_post("/vigie/messages", send)
    app.router.add_get("/vigie/messages", watch)


async def send(request: web.Request) -> web.Response:
    """Take one message; answers how many endpoints it went to."""
    sent = await read_as(request, SentMessage)
    if (sent.input is None) == (sent.output is None):
        raise HubRefusalError("name either 'input' (straight into it) or 'output' (through the routes)")
    try:
        body = base64.b64decode(sent.body, validate=True) if sent.body_encoding == "base64" else sent.body.encode()
    except binascii.Error:
        raise HubRefusalError("the body is not valid base64") from None
    system = {"contentType": sent.content_type, "contentEncoding": sent.content_encoding}
    reached = request.app[CONTROL].send_message(
        sent.module,
        input_name=sent.input,
        output=sent.output,
        body=body,
        system={name: value for name, value in system.items() if value is not None},
        application=sent.properties,
    )
    return answer({"endpoints": reached})


async def watch(request: web.Request) -> web.StreamResponse:
    """Stream what modules send from now on, one JSON object per line. Query: ``module``, ``output``."""
    control = request.app[CONTROL]
    module, output = request.query.get("module"), request.query.get("output")
    if module is not None:
        control.module(module)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    waiting: asyncio.Queue[Message] = asyncio.Queue(_WATCHED_AT_MOST)

    def take(message: Message) -> None:
        if module not in (None, message.source_module) or output not in (None, message.output):
            return
        if waiting.full():
            waiting.get_nowait()
        waiting.put_nowait(message)

    number = 0
    with control.watching(take):
        while not request.app[ENDING].is_set() and request.transport is not None:
            try:
                message = await asyncio.wait_for(waiting.get(), 0.5)
            except TimeoutError:
                continue
            number += 1
            await response.write(_line(number, message))
    return response


def _line(number: int, message: Message) -> bytes:
    return to_json_line(
        build_record(
            sequence=number,
            enqueued_at=message.stored_at,
            stored_at=message.stored_at,
            module=message.source_module,
            output=message.output,
            body=message.body,
            properties=message.application,
            system_properties=endpoint_properties(message),
        )
    )
