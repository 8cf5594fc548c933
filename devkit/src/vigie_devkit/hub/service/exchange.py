"""What every handler of the service uses: the hub behind the request, bodies in, answers out."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from aiohttp import web

from vigie_devkit.hub.deployment_desk import DeploymentDesk
from vigie_devkit.hub.ports import HubControl, HubRefusalError, JsonObject, UpstreamSink
from vigie_devkit.hub.service.refusals import DeviceUnknownError

CONTROL: web.AppKey[HubControl] = web.AppKey("control")
DEPLOYMENTS: web.AppKey[DeploymentDesk] = web.AppKey("deployments")
SINK: web.AppKey[UpstreamSink] = web.AppKey("sink")

T = TypeVar("T")


def control_of(request: web.Request) -> HubControl:
    """Return the hub, once the path's device is known to be its own.

    Raises: DeviceUnknownError.
    """
    control = request.app[CONTROL]
    device = request.match_info.get("device")
    if device is not None and device.lower() != control.device_id.lower():
        raise DeviceUnknownError(f"device '{device}' is unknown; this hub is device '{control.device_id}'")
    return control


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
    except (msgspec.DecodeError, RecursionError) as error:
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
