"""What every handler of the service uses: the hub behind the request, bodies in, answers out."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from vigie_edgehub.owner import leaf_owner
from vigie_edgehub.ports import HubRefusalError, JsonObject, ModuleUnknownError
from vigie_edgehub.shell.control import Control
from vigie_edgehub.upstream import SqliteSink

CONTROL: web.AppKey[Control] = web.AppKey("control")
SINK: web.AppKey[SqliteSink] = web.AppKey("sink")
ENDING: web.AppKey[asyncio.Event] = web.AppKey("ending")
"""Set when the service ends: answers that have no end of their own end then."""

T = TypeVar("T")


def control_of(request: web.Request) -> Control:
    """Return the hub, once the path's device is known to be its own.

    Raises: DeviceUnknownError.
    """
    control = request.app[CONTROL]
    device = request.match_info.get("device")
    if device is not None and device.lower() != control.device_id.lower():
        control.device(device)
        raise HubRefusalError(f"'{device}' is a leaf device; only the edge device '{control.device_id}' has this")
    return control


def owner_in(request: web.Request) -> tuple[Control, str | None]:
    """Return the hub and whom the path names: a module, None for the edge device, or a leaf device's owner.

    Raises: DeviceUnknownError, ModuleUnknownError: leaf devices have no modules here.
    """
    control = request.app[CONTROL]
    device, module = request.match_info["device"], request.match_info.get("module")
    if device.lower() == control.device_id.lower():
        return control, module
    control.device(device)
    if module is not None:
        raise ModuleUnknownError(f"leaf device '{device}' has no modules here")
    return control, leaf_owner(device)


async def read_object(request: web.Request) -> JsonObject:
    """Return the body as a JSON object.

    Raises: HubRefusalError: it is none.
    """
    return await read_as(request, dict[str, Any])


async def read_as(request: web.Request, kind: type[T]) -> T:
    """Return the body decoded as ``kind``.

    Raises: HubRefusalError: with the path of what does not fit.
    """
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HubRefusalError(f"the body does not decode: {error}") from error


def wanted_etag(request: web.Request) -> str | None:
    """Return the etag of ``If-Match`` without its quotes; None when unconditional."""
    value = request.headers.get("If-Match")
    if value is None:
        return None
    bare = value.strip().removeprefix("W/").strip('"')
    return None if bare in {"", "*"} else bare


def answer(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Answer with ``value`` as JSON."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(value),
        content_type="application/json",
        charset="utf-8",
        headers=headers,
    )
