"""The hub's own paths below /vigie/: its state, and misbehaviour on command."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from vigie_edgehub.ports import HubRefusalError, Misbehaviour
from vigie_edgehub.service.exchange import CONTROL, SINK, answer, read_as, read_object
from vigie_edgehub.shell.control import Control


class DropConnections(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose connections to close (null: everybody's). ``abrupt``: without draining, as a crash would."""

    modules: list[str] | None = None
    abrupt: bool = False


def add_routes(app: web.Application) -> None:
    app.router.add_get("/vigie/status", status)
    app.router.add_get("/vigie/misbehaviour", get_misbehaviour)
    app.router.add_patch("/vigie/misbehaviour", patch_misbehaviour)
    app.router.add_delete("/vigie/misbehaviour", reset_misbehaviour)
    app.router.add_post("/vigie/connections/drop", drop_connections)
    app.router.add_post("/vigie/restart", restart)


async def status(request: web.Request) -> web.Response:
    """Counters, queues and connections, the faults in force, and the upstream record's counters."""
    control = request.app[CONTROL]
    sink = request.app[SINK]
    shown = {
        "device_id": control.device_id,
        "iothub_hostname": control.iothub_hostname,
        "modules": {m.module_id: {"connected": m.connected} for m in control.modules()},
        "devices": {name: {"connected": control.device(name).connected} for name in control.devices.names()},
        "hub": control.stats(),
        "upstream": {"last_sequence": sink.last_sequence, "file": str(sink.file), **sink.counters},
        "misbehaviour": msgspec.to_builtins(control.misbehaviour()),
    }
    return answer(shown)


async def get_misbehaviour(request: web.Request) -> web.Response:
    return answer(request.app[CONTROL].misbehaviour())


async def patch_misbehaviour(request: web.Request) -> web.Response:
    """Change the named settings, keep the others; answers with all of them."""
    control = request.app[CONTROL]
    changes = await read_object(request)
    _misbehave(control, {**msgspec.to_builtins(control.misbehaviour()), **changes})
    return answer(control.misbehaviour())


async def reset_misbehaviour(request: web.Request) -> web.Response:
    request.app[CONTROL].misbehave(Misbehaviour())
    return answer(request.app[CONTROL].misbehaviour())


async def drop_connections(request: web.Request) -> web.Response:
    wanted = await read_as(request, DropConnections)
    return answer({"dropped": request.app[CONTROL].drop_connections(wanted.modules, abrupt=wanted.abrupt)})


async def restart(request: web.Request) -> web.Response:
    """Drain every connection and close the MQTT port for a moment, as an orderly restart of edgeHub does."""
    request.app[CONTROL].restart_listener()
    return answer({}, status=202)


def _misbehave(control: Control, settings: dict[str, Any]) -> None:
    try:
        wanted = msgspec.convert(settings, Misbehaviour)
    except msgspec.ValidationError as error:
        raise HubRefusalError(f"misbehaviour: {error}") from error
    for share in ("jitter", "drop_probability"):
        if not 0 <= getattr(wanted, share) <= 1:
            raise HubRefusalError(f"misbehaviour: {share} must lie in 0..1, got {getattr(wanted, share)}")
    for delay in ("ack_delay_ms", "delivery_delay_ms"):
        if not 0 <= getattr(wanted, delay) <= 600_000:
            raise HubRefusalError(f"misbehaviour: {delay} must lie in 0..600000, got {getattr(wanted, delay)}")
    control.misbehave(wanted)
