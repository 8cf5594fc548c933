"""A model file dropped on the page: handed on, piece by piece, to whoever imports it. Nothing of it is kept here.

A local run names such a desk. On a device there is none: models come as signed bundles, by a model update (ADR 0039).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from aiohttp import web

from vigie.contracts.dropped import (
    DROPPED_BYTES_MAX,
    LINE_BYTES_MAX,
    SOCKET_NAME,
    DroppedAnswer,
    DroppedFile,
    ImportChoices,
)
from vigie.log import get_logger
from vigie.socket_paths import short_socket_path
from vigie_viewer.answers import json_answer, refusal
from vigie_viewer.guard import Guard

log = get_logger("viewer.drops")

# A browser sends this kind of body to another site only after asking it, which nobody here answers.
CONTENT_TYPE = "application/octet-stream"
_HEAD_BYTES_MAX = 128 << 10
_UPLOAD_WITHIN_S = 300.0
_IMPORT_WITHIN_S = 360.0
_ANSWER_BYTES_MAX = 4 << 20
ELSEWHERE = (
    "a device takes models by a model update only: import the file where it was made (./vigie models import FILE), "
    "try it there with ./vigie up, and publish the bundle (docs/model-updates.md)"
)


class DropHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes before the file's bytes: 4 bytes of length (big-endian) and this as JSON."""

    name: str
    choices: ImportChoices = ImportChoices()


class DroppedFiles:
    """Handler on the event loop; one file at a time."""

    def __init__(self, desk: Path | None, guard: Guard) -> None:
        self._desk, self._guard = desk, guard
        self._busy = False

    @property
    def possible(self) -> bool:
        return self._desk is not None

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/models", self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        if not self._guard.allowed(request):
            return refusal(401, "sign_in")
        if self._desk is None:
            return refusal(409, ELSEWHERE)
        if (refused := self._refused(request)) is not None:
            return refused
        self._busy = True
        try:
            return await self._hand_on(request, self._desk, request.content_length or 0)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            return refusal(400, f"the file did not come whole: {error}")
        finally:
            self._busy = False

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.content_type != CONTENT_TYPE:
            return refusal(415, f"expected {CONTENT_TYPE}")
        if request.content_length is None:
            return refusal(411, "expected a length")
        if request.content_length > DROPPED_BYTES_MAX + _HEAD_BYTES_MAX:
            return refusal(413, f"the file is larger than {DROPPED_BYTES_MAX >> 20} MB, the most that is taken here")
        return refusal(409, "another file is on its way; wait until that has ended") if self._busy else None

    async def _hand_on(self, request: web.Request, desk: Path, length: int) -> web.Response:
        try:
            asked = await _head(request, length)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return refusal(400, str(error))
        try:
            with short_socket_path(desk, SOCKET_NAME) as short:
                reader, writer = await asyncio.open_unix_connection(short, limit=_ANSWER_BYTES_MAX)
        except OSError:
            return refusal(503, "nobody takes model files just now: is './vigie up' still running?")
        log.info("model_dropped", bytes=asked.bytes)
        try:
            answer = await _ask(request, asked, reader, writer)
        except (OSError, msgspec.MsgspecError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.warning("model_drop_failed", reason=str(error))
            return refusal(503, "whoever imports model files ended in the middle; try again")
        finally:
            writer.close()
        return json_answer(answer, 200 if answer.imported is not None else 422)


async def _head(request: web.Request, length: int) -> DroppedFile:
    """Raises: MsgspecError: not what was agreed on. IncompleteReadError."""
    size = int.from_bytes(await request.content.readexactly(4), "big")
    if size > min(_HEAD_BYTES_MAX, length - 4):
        raise msgspec.ValidationError(f"expected at most {_HEAD_BYTES_MAX} bytes before the file, got {size}")
    head = msgspec.json.decode(await request.content.readexactly(size), type=DropHead)
    return msgspec.convert(
        {"name": head.name, "bytes": length - 4 - size, "choices": msgspec.to_builtins(head.choices)}, DroppedFile
    )


async def _ask(
    request: web.Request, asked: DroppedFile, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> DroppedAnswer:
    line = msgspec.json.encode(asked) + b"\n"
    if len(line) > LINE_BYTES_MAX:
        return DroppedAnswer("the names of the classes are too long")
    writer.write(line)
    async with asyncio.timeout(_UPLOAD_WITHIN_S):
        may = msgspec.json.decode(await reader.readuntil(b"\n"), type=DroppedAnswer)
        if may.reason:
            return may
        left = asked.bytes
        while left:
            part = await request.content.readany()
            if not part:
                raise asyncio.IncompleteReadError(b"", left)
            writer.write(part[:left])
            left -= len(part[:left])
            await writer.drain()
    async with asyncio.timeout(_IMPORT_WITHIN_S):
        return msgspec.json.decode(await reader.readuntil(b"\n"), type=DroppedAnswer)


__all__ = ["CONTENT_TYPE", "ELSEWHERE", "DroppedFiles"]
