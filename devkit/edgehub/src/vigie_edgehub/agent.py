"""The line between the hub and whoever supervises the module processes: direct methods of `$edgeAgent`.

Whoever supervises serves a unix socket in the hub's state folder; the hub asks it, one call per connection. Both sides
are one JSON object per line: ``{"method", "payload"}`` there, ``{"status", "payload"}`` back. Only the folder's owner
reaches the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from vigie.socket_paths import short_socket_path
from vigie_edgehub.ports import MethodResult

SOCKET_NAME = "agent.sock"
MAX_ANSWER_BYTES = 131_072
"""What a direct method's answer may hold (docs/edgehub-facts.md, Limits of direct methods)."""

_LINE_BYTES = 2 * MAX_ANSWER_BYTES


class AgentCall(msgspec.Struct, frozen=True):
    """``payload`` is JSON as the caller wrote it."""

    method: str
    payload: msgspec.Raw = msgspec.Raw(b"null")


Answering = Callable[[AgentCall], Awaitable[MethodResult]]


@asynccontextmanager
async def serve_agent(state: Path, answer: Answering) -> AsyncIterator[None]:
    """Answer the hub of ``state`` while entered. ``answer`` must not raise. Raises: OSError."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
            call = msgspec.json.decode(await reader.readuntil(b"\n"), type=AgentCall)
            writer.write(msgspec.json.encode(await answer(call)) + b"\n")
            await writer.drain()
        writer.close()

    path = state / SOCKET_NAME
    path.unlink(missing_ok=True)  # of a supervisor that was killed
    with short_socket_path(state, SOCKET_NAME) as short:
        server = await asyncio.start_unix_server(serve, short, limit=_LINE_BYTES)
    try:
        path.chmod(0o600)
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def ask_agent(state: Path, call: AgentCall, timeout_s: float) -> MethodResult | None:
    """Ask whoever supervises. None: nobody does. Raises: TimeoutError, ValueError: no answer, or an unreadable one."""
    try:
        with short_socket_path(state, SOCKET_NAME) as short:
            reader, writer = await asyncio.open_unix_connection(short, limit=_LINE_BYTES)
    except OSError:
        return None
    try:
        async with asyncio.timeout(timeout_s):
            writer.write(msgspec.json.encode(call) + b"\n")
            return msgspec.json.decode(await reader.readuntil(b"\n"), type=MethodResult)
    except TimeoutError:  # an OSError too, which would tell of an end that did not happen
        raise TimeoutError(f"the supervisor did not answer within {timeout_s:g} s") from None
    except (OSError, asyncio.IncompleteReadError) as error:
        raise ValueError(f"the supervisor ended while it was asked ({error})") from error
    finally:
        writer.close()
