"""Twins of the devices and of the modules: GET, PATCH (merge), PUT (replace)."""

from __future__ import annotations

from aiohttp import web

from vigie_edgehub.ports import JsonObject
from vigie_edgehub.service.exchange import answer, owner_in, read_object, wanted_etag


def add_routes(app: web.Application) -> None:
    for path in ("/twins/{device}", "/twins/{device}/modules/{module}"):
        app.router.add_get(path, get_twin)
        app.router.add_patch(path, write_twin)
        app.router.add_put(path, write_twin)


async def get_twin(request: web.Request) -> web.Response:
    control, owner = owner_in(request)
    return _twin(control.get_twin(owner))


async def write_twin(request: web.Request) -> web.Response:
    control, owner = owner_in(request)
    body = await read_object(request)
    return _twin(control.write_twin(owner, body, wanted_etag(request), replace=request.method == "PUT"))


def _twin(twin: JsonObject) -> web.Response:
    return answer(twin, headers={"ETag": f'"{twin["etag"]}"'})
