"""What port 443 of the gateway serves to modules: calls of each other's methods, and MQTT over WebSockets."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_plus

import msgspec
from aiohttp import web

from vigie.log import get_logger
from vigie_edgehub.owner import leaf_owner
from vigie_edgehub.ports import HubRefusalError
from vigie_edgehub.shell.broker import Broker
from vigie_edgehub.shell.clock import Clock
from vigie_edgehub.shell.control import Control
from vigie_edgehub.shell.method_calls import MethodBody
from vigie_edgehub.shell.tokens import TokenRefusedError, check_token
from vigie_edgehub.shell.websocket import PATH as WEBSOCKET_PATH
from vigie_edgehub.shell.websocket import serve_websocket

log = get_logger("hub")
_ACTOR = "x-ms-edge-moduleId"
_METHODS = re.compile(r"/twins/(?P<device>[^/]+)(/modules/(?P<module>[^/]+))?/methods/?")


class EdgeHttp:
    """The gateway's side of port 443; a request that is not a module's is the service's."""

    def __init__(self, control: Control, broker: Broker, hostnames: frozenset[str], clock: Clock) -> None:
        self._control = control
        self._broker = broker
        self._hostnames = hostnames
        self._clock = clock

    async def __call__(self, request: web.Request) -> web.StreamResponse | None:
        if request.rel_url.raw_path.rstrip("/") in (WEBSOCKET_PATH, quote(WEBSOCKET_PATH)):
            return await serve_websocket(request, self._broker)
        called = _METHODS.fullmatch(request.rel_url.raw_path) if request.method == "POST" else None
        # An operator's token names its policy (skn), a module's never does.
        if called is None or "skn=" in request.headers.get("Authorization", ""):
            return None
        return await self._invoke(request, unquote_plus(called["device"]), unquote_plus(called["module"] or ""))

    async def _invoke(self, request: web.Request, target: str, called: str) -> web.Response:
        actor = request.headers.get(_ACTOR, "")
        device, _, module = actor.partition("/")
        if not device or not module or "/" in module:
            return _refusal(400, f"header {_ACTOR} is {actor!r}, expected 'device/module'")
        leaf = self._leaf(target)
        if device != self._control.device_id or (target != device and leaf is None):
            return _refusal(401, f"caller {actor!r} may not call methods of device {target!r}")
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
        return await self._call(request, called if leaf is None else leaf_owner(leaf))

    def _leaf(self, target: str) -> str | None:
        """A child of this edge device: modules may call its methods through the gateway."""
        known = target in self._control.devices.names() and self._control.device(target)
        return target if known and known.parent_scopes else None

    async def _call(self, request: web.Request, module: str) -> web.Response:
        try:
            call = msgspec.json.decode(await request.read(), type=MethodBody)
            if not module:
                return _refusal(404, "the device itself takes no methods here")
            result = await self._control.invoke_method(module, call)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _refusal(400, f"the body is not a method call: {error}")
        except HubRefusalError as refusal:
            return _refusal(refusal.error_code.http_status, refusal.message)
        return web.Response(body=msgspec.json.encode(result), content_type="application/json", charset="utf-8")


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)
