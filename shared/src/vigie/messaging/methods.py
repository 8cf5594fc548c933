"""Direct methods: typed requests and replies, and one meaning of each status in all modules.

200 done; 400 bad request, with the path; 404 no such method or thing; 409 wrong state; 500 our fault; 503 try again.
"""

from __future__ import annotations

import inspect
from asyncio import to_thread
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from vigie.config.mistakes import mistakes
from vigie.errors import ConfigRefusedError, MethodRefusedError, TransientError
from vigie.log import get_logger

log = get_logger(__name__)

Q = TypeVar("Q")

Handler = Callable[[Q], Any] | Callable[[Q], Awaitable[Any]]


class NoRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request of a method that takes nothing: absent, null or an empty object."""


@dataclass(frozen=True, slots=True)
class _Method:
    request_type: Any
    handler: Callable[[Any], Any]


class Methods:
    """Registry and dispatch; knows nothing of the hub."""

    def __init__(self) -> None:
        """Empty: ``404`` for everything."""
        self._methods: dict[str, _Method] = {}

    def register(self, name: str, request_type: type[Q], handler: Handler[Q]) -> None:
        """``handler`` takes the decoded request and returns a struct or plain JSON values; a plain function runs on a
        thread of its own, so it may block. It refuses by ``MethodRefusedError``.
        """
        self._methods[name] = _Method(request_type, handler)

    async def dispatch(self, name: str, payload: Any) -> tuple[int, Any]:
        """Status and JSON payload of the reply; never raises but on cancellation."""
        method = self._methods.get(name)
        if method is None:
            return 404, {"error": f"no method '{name}'; there are: {', '.join(sorted(self._methods))}"}
        asked = {} if payload is None else payload
        try:
            request = msgspec.convert(asked, method.request_type, strict=True)
        except msgspec.ValidationError:
            found = mistakes(method.request_type, asked)
            return 400, {"error": "; ".join(map(str, found)), "path": found[0].path}
        return await _invoke(name, method, request)


async def _invoke(name: str, method: _Method, request: Any) -> tuple[int, Any]:
    try:
        if inspect.iscoroutinefunction(method.handler):
            reply = await method.handler(request)
        else:
            reply = await to_thread(method.handler, request)
        return 200, msgspec.to_builtins(reply)
    except MethodRefusedError as error:
        return error.status, {"error": error.reason}
    except ConfigRefusedError as error:
        return 400, {"error": str(error), "path": error.path}
    except TransientError as error:
        return 503, {"error": str(error)}
    except Exception as error:
        log.exception("method_failed", method=name)
        return 500, {"error": f"{type(error).__name__}: {error}"}
