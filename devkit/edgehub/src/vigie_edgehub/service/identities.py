"""Identities of the edge device's modules, and what all identities have in common."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from vigie_edgehub.ports import HubRefusalError, Identity, JsonObject, ModuleIdentity, ModuleUnknownError, RefusalCode
from vigie_edgehub.service.exchange import answer, control_of, read_as, wanted_etag
from vigie_edgehub.shell.control import Control
from vigie_edgehub.upstream.record import iso_time

NEVER = "0001-01-01T00:00:00Z"


class SymmetricKey(msgspec.Struct, frozen=True, rename="camel"):
    primary_key: str | None = None
    secondary_key: str | None = None


class Authentication(msgspec.Struct, frozen=True, rename="camel"):
    type: str | None = None
    symmetric_key: SymmetricKey | None = None


class WantedModule(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a PUT; what is not named here is read-only or without meaning in this hub."""

    authentication: Authentication | None = None
    managed_by: str | None = None


def add_routes(app: web.Application) -> None:
    app.router.add_get("/devices/{device}/modules", list_modules)
    app.router.add_get("/devices/{device}/modules/{module}", get_module)
    app.router.add_put("/devices/{device}/modules/{module}", put_module)
    app.router.add_delete("/devices/{device}/modules/{module}", delete_module)


async def list_modules(request: web.Request) -> web.Response:
    control = control_of(request)
    return answer([module_json(control, identity) for identity in control.modules()])


async def get_module(request: web.Request) -> web.Response:
    control = control_of(request)
    return identity_answer(module_json(control, control.module(request.match_info["module"])))


async def put_module(request: web.Request) -> web.Response:
    """Create without ``If-Match``, change with it; a module that is there is not created again."""
    control = control_of(request)
    module = request.match_info["module"]
    wanted = await read_as(request, WantedModule)
    known = _known(control, module)
    if known is not None and "If-Match" not in request.headers:
        raise HubRefusalError(
            f"module '{module}' exists on device '{control.device_id}'; send If-Match to change it",
            RefusalCode.ModuleAlreadyExistsOnDevice,
        )
    check_etag(request, known)
    keys = symmetric_key(wanted.authentication)
    created = control.create_module(
        module, primary_key=keys.primary_key, secondary_key=keys.secondary_key, managed_by=wanted.managed_by
    )
    return identity_answer(module_json(control, created), status=200 if known else 201)


async def delete_module(request: web.Request) -> web.Response:
    control = control_of(request)
    module = request.match_info["module"]
    check_etag(request, control.module(module))
    control.delete_module(module)
    return web.Response(status=204)


def symmetric_key(authentication: Authentication | None) -> SymmetricKey:
    """Return the wanted keys. Raises: HubRefusalError: another way to authenticate is asked for."""
    if authentication is None:
        return SymmetricKey()
    if authentication.type not in {None, "sas"}:
        raise HubRefusalError(f"authentication type '{authentication.type}' is not emulated; identities here use 'sas'")
    return authentication.symmetric_key or SymmetricKey()


def module_json(control: Control, identity: ModuleIdentity) -> JsonObject:
    """Return a module's identity as the service shows it."""
    return {
        "moduleId": identity.module_id,
        "managedBy": identity.managed_by,
        "deviceId": control.device_id,
        **common(identity),
    }


def common(identity: Identity) -> dict[str, Any]:
    """Return the members that modules and devices share."""
    return {
        "generationId": identity.generation_id,
        "etag": identity.etag,
        "connectionState": "Connected" if identity.connected else "Disconnected",
        "connectionStateUpdatedTime": _time(identity.connection_state_updated_at),
        "lastActivityTime": _time(identity.last_activity_at),
        "cloudToDeviceMessageCount": 0,
        "authentication": {
            "type": "sas",
            "symmetricKey": {"primaryKey": identity.primary_key, "secondaryKey": identity.secondary_key},
            "x509Thumbprint": {"primaryThumbprint": None, "secondaryThumbprint": None},
        },
    }


def identity_answer(shown: JsonObject, *, status: int = 200) -> web.Response:
    return answer(shown, status=status, headers={"ETag": f'"{shown["etag"]}"'})


def _known(control: Control, module: str) -> ModuleIdentity | None:
    try:
        return control.module(module)
    except ModuleUnknownError:
        return None


def check_etag(request: web.Request, identity: Identity | None) -> None:
    """Raises: HubRefusalError: ``If-Match`` names another etag."""
    wanted = wanted_etag(request)
    if wanted is not None and (identity is None or wanted != identity.etag):
        raise HubRefusalError(f"the identity's etag is not '{wanted}'; read it again", RefusalCode.PreconditionFailed)


def _time(at: float) -> str:
    return iso_time(at) if at else NEVER
