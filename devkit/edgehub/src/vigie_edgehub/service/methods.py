"""Direct methods: the payload passes byte for byte, the target's own status rides inside a 200."""

from __future__ import annotations

import msgspec
from aiohttp import web

from vigie_edgehub.ports import TargetAbsentError
from vigie_edgehub.service.exchange import answer, owner_in, read_as


class ServiceMethodBody(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a call. Absent or null time-outs mean the service's defaults."""

    method_name: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"")
    response_timeout_in_seconds: float | None = None
    connect_timeout_in_seconds: float | None = None


class ServiceMethodReply(msgspec.Struct, frozen=True):
    status: int
    payload: msgspec.Raw


def add_routes(app: web.Application) -> None:
    app.router.add_post("/twins/{device}/modules/{module}/methods", invoke)
    app.router.add_post("/twins/{device}/methods", invoke)


async def invoke(request: web.Request) -> web.Response:
    control, owner = owner_in(request)
    if owner is None:
        raise TargetAbsentError(f"device '{control.device_id}' has no methods of its own; its modules have")
    call = await read_as(request, ServiceMethodBody)
    result = await control.invoke_method(
        owner,
        call.method_name or "",
        bytes(call.payload),
        30.0 if call.response_timeout_in_seconds is None else call.response_timeout_in_seconds,
        0.0 if call.connect_timeout_in_seconds is None else call.connect_timeout_in_seconds,
    )
    return answer(ServiceMethodReply(result.status, msgspec.Raw(result.payload or b"null")))
