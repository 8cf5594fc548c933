"""Twins of the device and its modules: GET, PATCH (merge), PUT (replace)."""

from __future__ import annotations

from aiohttp import web

from vigie_devkit.hub.ports import JsonObject
from vigie_devkit.hub.service.exchange import answer, control_of, read_object, wanted_etag


def add_routes(app: web.Application) -> None:
    for path in ("/twins/{device}", "/twins/{device}/modules/{module}"):
        app.router.add_get(path, get_twin)
        app.router.add_patch(path, patch_twin)
        app.router.add_put(path, replace_twin)


async def get_twin(request: web.Request) -> web.Response:
    return _twin(control_of(request).get_twin(request.match_info.get("module")))


async def patch_twin(request: web.Request) -> web.Response:
    control = control_of(request)
    body = await read_object(request)
    return _twin(control.patch_twin(request.match_info.get("module"), body, wanted_etag(request)))


async def replace_twin(request: web.Request) -> web.Response:
    control = control_of(request)
    body = await read_object(request)
    return _twin(control.replace_twin(request.match_info.get("module"), body, wanted_etag(request)))


def _twin(twin: JsonObject) -> web.Response:
    return answer(twin, headers={"ETag": f'"{twin["etag"]}"'})
