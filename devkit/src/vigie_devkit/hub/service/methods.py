"""Direct methods: the payload passes byte for byte, the module's own status rides inside a 200."""

from __future__ import annotations

import msgspec
from aiohttp import web

from vigie_devkit.hub.ports import TargetAbsentError
from vigie_devkit.hub.service.exchange import answer, control_of, read_as


class MethodCall(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a call. Absent or null time-outs mean the service's defaults."""

    method_name: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"")
    response_timeout_in_seconds: float | None = None
    connect_timeout_in_seconds: float | None = None


class MethodAnswer(msgspec.Struct, frozen=True):
    status: int
    payload: msgspec.Raw


def add_routes(app: web.Application) -> None:
    app.router.add_post("/twins/{device}/modules/{module}/methods", invoke_module)
    app.router.add_post("/twins/{device}/methods", invoke_device)


async def invoke_module(request: web.Request) -> web.Response:
    control = control_of(request)
    call = await read_as(request, MethodCall)
    result = await control.invoke_method(
        request.match_info["module"],
        call.method_name or "",
        bytes(call.payload),
        30.0 if call.response_timeout_in_seconds is None else call.response_timeout_in_seconds,
        0.0 if call.connect_timeout_in_seconds is None else call.connect_timeout_in_seconds,
    )
    return answer(MethodAnswer(result.status, msgspec.Raw(result.payload or b"null")))


async def invoke_device(request: web.Request) -> web.Response:
    """Nothing ever connects as the device itself here, so it is never online."""
    control = control_of(request)
    raise TargetAbsentError(f"device '{control.device_id}' has no methods of its own; its modules have")
