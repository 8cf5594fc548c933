"""Module-to-module methods: HTTPS on 443 of the gateway, as the SDK's ``invoke_method`` wants it (section 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext
from urllib.parse import unquote_plus

import msgspec
import structlog
from aiohttp import web

from vigie_devkit.hub.ports import HubRefusalError, TargetAbsentError
from vigie_devkit.hub.shell.clock import Clock
from vigie_devkit.hub.shell.control import Control
from vigie_devkit.hub.shell.tokens import TokenRefusedError, check_token

log = structlog.get_logger("hub")
HTTPS_PORT = 443
_ACTOR = "x-ms-edge-moduleId"


class MethodCall(msgspec.Struct, frozen=True):
    """The body of a call; the payload stays as the caller wrote it."""

    methodName: str | None = None  # noqa: N815 - the name on the wire
    payload: msgspec.Raw = msgspec.Raw(b"")
    responseTimeoutInSeconds: float | None = None  # noqa: N815
    connectTimeoutInSeconds: float | None = None  # noqa: N815


class EdgeHttp:
    """Judges and forwards one call."""

    def __init__(self, control: Control, hostnames: frozenset[str], clock: Clock) -> None:
        self._control = control
        self._hostnames = hostnames
        self._clock = clock

    async def invoke(self, request: web.Request) -> web.Response:
        actor = request.headers.get(_ACTOR, "")
        device, _, module = actor.partition("/")
        if not device or not module or "/" in module:
            return _refusal(400, f"header {_ACTOR} is {actor!r}, expected 'device/module'")
        target = unquote_plus(request.match_info["device"])
        if device != self._control.device_id or target != device:
            return _refusal(401, f"caller {actor!r} may not call modules of device {target!r}")
        keys = self._control.keys_of(module)
        if keys is None:
            return _refusal(401, f"module {module!r} is not in the manifest")
        try:
            check_token(
                request.headers.get("Authorization", ""),
                hostnames=self._hostnames,
                device=device,
                module=module,
                keys=(keys.primary, keys.secondary),
                now=self._clock.now(),
                grace_s=0,
            )
        except TokenRefusedError as refusal:
            log.warning("method_call_refused", caller=actor, reason=str(refusal))
            return _refusal(401, str(refusal))
        return await self._call(request, unquote_plus(request.match_info.get("module", "")))

    async def _call(self, request: web.Request, module: str) -> web.Response:
        try:
            call = msgspec.json.decode(await request.read(), type=MethodCall)
            if not module:
                raise TargetAbsentError("the device itself takes no methods here")
            result = await self._control.invoke_method(
                module,
                call.methodName or "",
                bytes(call.payload),
                30.0 if call.responseTimeoutInSeconds is None else call.responseTimeoutInSeconds,
                0.0 if call.connectTimeoutInSeconds is None else call.connectTimeoutInSeconds,
            )
        except msgspec.MsgspecError as error:
            return _refusal(400, f"the body is no method call: {error}")
        except HubRefusalError as refusal:
            return _refusal(refusal.http_status, refusal.message)
        body = b'{"status":%d,"payload":%s}' % (result.status, result.payload)
        return web.Response(body=body, content_type="application/json", charset="utf-8")


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


@asynccontextmanager
async def open_edge_http(
    control: Control, *, listen: str, port: int, hostnames: frozenset[str], tls: SSLContext, clock: Clock
) -> AsyncIterator[int | None]:
    """Serve while entered. Yields: the port, or None where it may not be bound (an unprivileged user)."""
    edge = EdgeHttp(control, hostnames, clock)
    app = web.Application()
    app.router.add_post("/twins/{device}/methods", edge.invoke)
    app.router.add_post("/twins/{device}/modules/{module}/methods", edge.invoke)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, listen, port, ssl_context=tls).start()
        except OSError as error:
            log.warning("edge_https_not_served", listen=listen, port=port, reason=error.strerror or str(error))
            yield None
        else:
            yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
