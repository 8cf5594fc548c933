"""Direct methods: the payload passes byte for byte, the target's own status rides inside a 200."""

from __future__ import annotations

from aiohttp import web

from vigie_edgehub.ports import HubRefusalError, RefusalCode
from vigie_edgehub.service.exchange import answer, owner_in, read_as
from vigie_edgehub.shell.method_calls import MethodBody


def add_routes(app: web.Application) -> None:
    app.router.add_post("/twins/{device}/modules/{module}/methods", invoke)
    app.router.add_post("/twins/{device}/methods", invoke)


async def invoke(request: web.Request) -> web.Response:
    control, owner = owner_in(request)
    if owner is None:
        raise HubRefusalError(
            f"device '{control.device_id}' has no methods of its own; its modules have", RefusalCode.DeviceNotOnline
        )
    return answer(await control.invoke_method(owner, await read_as(request, MethodBody)))
