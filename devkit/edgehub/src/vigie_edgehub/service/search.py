"""POST /devices/query: twins of the devices or the modules, in pages."""

from __future__ import annotations

import base64
import binascii

import msgspec
from aiohttp import web

from vigie_edgehub.owner import leaf_owner
from vigie_edgehub.ports import HubRefusalError
from vigie_edgehub.service.exchange import CONTROL, answer, read_as
from vigie_edgehub.service.query import parse_query

_PAGE = 100
_MAX_PAGE = 1000


class SearchBody(msgspec.Struct, frozen=True):
    query: str


def add_routes(app: web.Application) -> None:
    app.router.add_post("/devices/query", search)


async def search(request: web.Request) -> web.Response:
    """Answer one page; ``x-ms-continuation`` is there while more follows."""
    control = request.app[CONTROL]
    query = parse_query((await read_as(request, SearchBody)).query)
    names: list[str | None] = [None, *map(leaf_owner, control.devices.names())]
    if query.source != "devices":
        names = [one.module_id for one in control.modules()]
    found = query.run(control.get_twin(name) for name in names)
    start = _start(request.headers.get("x-ms-continuation"))
    size = _size(request.headers.get("x-ms-max-item-count"))
    headers = {"x-ms-item-type": query.item_type}
    if start + size < len(found):
        headers["x-ms-continuation"] = base64.b64encode(str(start + size).encode()).decode()
    return answer(found[start : start + size], headers=headers)


def _start(continuation: str | None) -> int:
    try:
        return int(base64.b64decode(continuation or "", validate=True) or b"0")
    except (binascii.Error, ValueError):
        raise HubRefusalError("x-ms-continuation is not one that this hub gave") from None


def _size(wanted: str | None) -> int:
    if not wanted or wanted == "None":
        return _PAGE
    if not wanted.isdecimal() or not 1 <= int(wanted) <= _MAX_PAGE:
        raise HubRefusalError(f"x-ms-max-item-count must lie in 1..{_MAX_PAGE}, got '{wanted}'")
    return int(wanted)
