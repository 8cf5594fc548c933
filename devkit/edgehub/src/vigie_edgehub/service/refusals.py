"""How the service says no: status, IoT Hub error code, and the body that its clients print."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from vigie.log import get_logger
from vigie_edgehub.ports import HubRefusalError, RefusalCode

log = get_logger("hub.service")


class NotEmulatedError(HubRefusalError):
    """A part of the service that this hub does not have; the text says what is used instead."""

    error_code = RefusalCode.NotEmulated


def refusal(error_code: RefusalCode, message: str) -> web.Response:
    """Build the answer. ``Message`` is JSON inside a string, as the service sends it."""
    inner = {
        "errorCode": error_code,
        "trackingId": uuid.uuid4().hex.upper(),
        "message": message,
        "info": {},
        "timestampUtc": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    body = {"Message": msgspec.json.encode(inner).decode(), "ExceptionMessage": ""}
    return web.Response(
        status=error_code.http_status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        charset="utf-8",
        headers={"iothub-errorcode": error_code.name},
    )


@web.middleware
async def answer_refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn what a handler raises into the service's error answers; the boundary where the unforeseen is logged."""
    try:
        return await handler(request)
    except HubRefusalError as error:
        return refusal(error.error_code, error.message)
    except web.HTTPNotFound:
        return refusal(RefusalCode.NotFound, f"nothing is served at {request.path}; docs/hub.md lists what is")
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return refusal(RefusalCode.MethodNotAllowed, f"{request.method} is not served at {request.path}; {allowed} is")
    except web.HTTPRequestEntityTooLarge:
        return refusal(RefusalCode.MessageTooLarge, "the body is larger than the service reads (1 MiB)")
    except (web.HTTPException, ConnectionError):
        raise  # an answer already, or nobody left to answer
    except Exception:
        log.exception("service_failed", method=request.method, path=request.path)
        return refusal(RefusalCode.ServerError, "the hub failed; its log says where")
