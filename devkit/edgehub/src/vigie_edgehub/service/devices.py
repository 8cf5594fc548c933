"""Device identities: the edge device, its leaf devices, their counts, and messages from the cloud to them."""

from __future__ import annotations

from datetime import datetime

import msgspec
from aiohttp import web

from vigie_edgehub.ports import (
    DeviceIdentity,
    DeviceStatus,
    DeviceUnknownError,
    HubRefusalError,
    JsonObject,
    RefusalCode,
)
from vigie_edgehub.service.exchange import CONTROL, answer, read_as
from vigie_edgehub.service.identities import (
    NEVER,
    Authentication,
    check_etag,
    common,
    identity_answer,
    symmetric_key,
)
from vigie_edgehub.service.refusals import NotEmulatedError
from vigie_edgehub.shell.control import Control

_APPLICATION = "iothub-app-"
_SYSTEM = {
    "iothub-messageid": "messageId",
    "iothub-correlationid": "cid",
    "iothub-userid": "userId",
    "iothub-contenttype": "contentType",
    "iothub-contentencoding": "contentEncoding",
    "content-encoding": "contentEncoding",
}
# Feedback about deliveries goes over AMQP, which is not served: nobody could read it.
_NO_FEEDBACK = (None, "", "none")


class Capabilities(msgspec.Struct, frozen=True, rename="camel"):
    iot_edge: bool = False


class WantedDevice(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a PUT; what is not named here is read-only or without meaning in this hub."""

    authentication: Authentication | None = None
    status: DeviceStatus | None = None
    status_reason: str | None = None
    capabilities: Capabilities | None = None
    device_scope: str | None = None
    parent_scopes: list[str] | None = None


def add_routes(app: web.Application) -> None:
    app.router.add_get("/devices", list_devices)
    app.router.add_post("/devices", refuse_bulk)
    app.router.add_get("/devices/{device}", get_device)
    app.router.add_put("/devices/{device}", put_device)
    app.router.add_delete("/devices/{device}", delete_device)
    app.router.add_get("/statistics/devices", device_statistics)
    app.router.add_get("/statistics/service", service_statistics)
    app.router.add_delete("/devices/{device}/commands", purge)
    for word in ("devicebound", "deviceBound"):
        app.router.add_post(f"/messages/{word}", send)
        app.router.add_post(f"/devices/{{device}}/messages/{word}", send)


async def list_devices(request: web.Request) -> web.Response:
    control = request.app[CONTROL]
    return answer([device_json(one) for one in _all(control)])


async def get_device(request: web.Request) -> web.Response:
    return identity_answer(device_json(_named(request)))


async def refuse_bulk(_: web.Request) -> web.Response:
    raise NotEmulatedError("bulk changes of the registry are not emulated; create devices one by one")


async def put_device(request: web.Request) -> web.Response:
    """Create without ``If-Match``, change with it; a device that is there is not created again."""
    control = request.app[CONTROL]
    device = request.match_info["device"]
    _refuse_edge(control, device)
    wanted = await read_as(request, WantedDevice)
    if wanted.capabilities is not None and wanted.capabilities.iot_edge:
        raise NotEmulatedError(
            f"this hub is one edge device, '{control.device_id}'; other edge devices are not emulated"
        )
    known = _known(control, device)
    if known is not None and "If-Match" not in request.headers:
        raise HubRefusalError(f"device '{device}' exists; send If-Match to change it", RefusalCode.DeviceAlreadyExists)
    check_etag(request, known)
    scopes = {one for one in (wanted.device_scope, *(wanted.parent_scopes or ())) if one}
    if len(scopes) > 1:
        raise HubRefusalError(f"a leaf device has one parent, got {', '.join(sorted(scopes))}")
    keys = symmetric_key(wanted.authentication)
    created = control.devices.put(
        device,
        primary_key=keys.primary_key,
        secondary_key=keys.secondary_key,
        status=wanted.status or "enabled",
        status_reason=wanted.status_reason,
        scope=next(iter(scopes), None),
    )
    return identity_answer(device_json(created), status=200)


async def delete_device(request: web.Request) -> web.Response:
    control = request.app[CONTROL]
    _refuse_edge(control, request.match_info["device"])
    known = _named(request)
    check_etag(request, known)
    control.devices.delete(known.device_id)
    return web.Response(status=204)


async def device_statistics(request: web.Request) -> web.Response:
    every = _all(request.app[CONTROL])
    enabled = sum(one.status == "enabled" for one in every)
    counts = {"enabledDeviceCount": enabled, "disabledDeviceCount": len(every) - enabled}
    return answer({"totalDeviceCount": len(every), **counts})


async def service_statistics(request: web.Request) -> web.Response:
    leafs = [one for one in _all(request.app[CONTROL]) if not one.edge]
    return answer({"connectedDeviceCount": 1 + sum(one.connected for one in leafs)})


async def purge(request: web.Request) -> web.Response:
    """Discard the cloud-to-device messages that wait for a device."""
    known = _named(request)
    gone = 0 if known.edge else request.app[CONTROL].devices.purge(known.device_id)
    return answer({"totalMessagesPurged": gone, "deviceId": known.device_id, "moduleId": None})


async def send(request: web.Request) -> web.Response:
    """Take a cloud-to-device message: its body is the request's, its properties are headers."""
    control = request.app[CONTROL]
    device = request.match_info.get("device") or _addressee(request.headers.get("iothub-to", ""))
    if control.device(device).edge:
        raise HubRefusalError(
            f"'{device}' is an edge device, which takes no cloud-to-device messages; its leaf devices do"
        )
    if request.headers.get("iothub-ack") not in _NO_FEEDBACK:
        raise NotEmulatedError("feedback about cloud-to-device messages (iothub-ack) is not emulated; leave it out")
    system = {name: request.headers[header] for header, name in _SYSTEM.items() if header in request.headers}
    if "Content-Type" in request.headers:
        system.setdefault("contentType", request.headers["Content-Type"])
    application = {
        name[len(_APPLICATION) :]: value
        for name, value in request.headers.items()
        if name.lower().startswith(_APPLICATION)
    }
    expiry = request.headers.get("iothub-expiry")
    control.devices.send(device, await request.read(), system, application, None if not expiry else _moment(expiry))
    return web.Response(status=204)


def device_json(identity: DeviceIdentity) -> JsonObject:
    """Return a device's identity as the service shows it."""
    return {
        "deviceId": identity.device_id,
        **common(identity),
        "status": identity.status,
        "statusReason": identity.status_reason,
        "statusUpdatedTime": NEVER,
        "cloudToDeviceMessageCount": identity.waiting,
        "capabilities": {"iotEdge": identity.edge},
        "deviceScope": identity.device_scope,
        "parentScopes": identity.parent_scopes,
    }


def _all(control: Control) -> list[DeviceIdentity]:
    return [control.device(), *map(control.devices.get, control.devices.names())]


def _named(request: web.Request) -> DeviceIdentity:
    control, device = request.app[CONTROL], request.match_info["device"]
    return control.device(None if device.lower() == control.device_id.lower() else device)


def _known(control: Control, device: str) -> DeviceIdentity | None:
    try:
        return control.device(device)
    except DeviceUnknownError:
        return None


def _refuse_edge(control: Control, device: str) -> None:
    if device.lower() == control.device_id.lower():
        raise NotEmulatedError(
            f"this hub is the edge device '{control.device_id}'; it is not created, changed or deleted"
        )


def _addressee(to: str) -> str:
    parts = to.strip("/").split("/")
    if len(parts) != 4 or parts[0] != "devices" or parts[2] != "messages" or parts[3].lower() != "devicebound":
        raise HubRefusalError(f"header iothub-to is {to!r}, expected '/devices/DEVICE/messages/devicebound'")
    return parts[1]


def _moment(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise HubRefusalError(
            f"header iothub-expiry is {text!r}, expected ISO 8601 with an offset, e.g. 2026-11-28T10:00:00Z"
        )
    return at.timestamp()
