"""Twin patches to the local hub, as an operator's tool would send them, and back again. Not there on a device.

The cloud owns desired properties (docs/decisions/0039): on a device the page shows the patch and applies nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import aiohttp
import msgspec

from vigie.errors import HubAnswerError, HubAwayError

_API_VERSION = "2021-04-12"
_TOKEN_LIFE_S = 600
_ANSWER_WITHIN_S = 5.0
# Opening a camera or a model takes its time.
_METHOD_WITHIN_S = 60.0
_UNDO_MAX = 50
Json = dict[str, Any]


class _Hub(msgspec.Struct, frozen=True):
    """What of the hub's own description is needed here."""

    device_id: str
    service_url: str
    ca_file: str
    service_connection_string_file: str


@dataclass(frozen=True, slots=True)
class Applied:
    """``version`` of the desired properties afterwards; ``undo``: how many patches can be taken back."""

    version: int
    undo: int


class TwinEditor:
    """Applies patches one after the other and remembers how to take each back."""

    def __init__(self, description: Path) -> None:
        """``description``: ``hub.json`` of a local hub, read anew for each call: the hub may have restarted."""
        self._description = description
        self._undo: list[tuple[str, Json]] = []

    async def apply(self, module: str, patch: Json) -> Applied:
        """Merge ``patch`` into the module's desired properties.

        Raises: HubAwayError, HubAnswerError.
        """
        async with self._session() as (session, base):
            before = await _call(session, "GET", f"{base}{quote(module, safe='')}")
            back = inverse(before["properties"].get("desired", {}), patch)
            version = await self._patch(session, base, module, patch)
        self._undo = [*self._undo, (module, back)][-_UNDO_MAX:]
        return Applied(version, len(self._undo))

    async def undo(self) -> tuple[str, Json, Applied]:
        """Take the newest patch back; returns the module, the patch that did it, the state afterwards.

        Raises: HubAwayError, HubAnswerError: 409, there is none to take back.
        """
        if not self._undo:
            raise HubAnswerError(409, 409000, "there is no change of this page to take back")
        module, back = self._undo[-1]
        async with self._session() as (session, base):
            version = await self._patch(session, base, module, back)
        self._undo.pop()
        return module, back, Applied(version, len(self._undo))

    async def call(self, module: str, method: str, payload: Any) -> tuple[int, Any]:
        """Status and answer of a direct method. Raises: HubAwayError, HubAnswerError."""
        body = {"methodName": method, "payload": payload, "responseTimeoutInSeconds": _METHOD_WITHIN_S}
        async with self._session(_METHOD_WITHIN_S + _ANSWER_WITHIN_S) as (session, base):
            told = await _call(session, "POST", f"{base}{quote(module, safe='')}/methods", body)
        return int(told["status"]), told["payload"]

    async def _patch(self, session: aiohttp.ClientSession, base: str, module: str, patch: Json) -> int:
        body = {"properties": {"desired": patch}}
        after = await _call(session, "PATCH", f"{base}{quote(module, safe='')}", body)
        return int(after["properties"]["desired"].get("$version", 0))

    def _session(self, within_s: float = _ANSWER_WITHIN_S) -> _Session:
        try:
            hub = msgspec.json.decode(self._description.read_bytes(), type=_Hub)
            text = Path(hub.service_connection_string_file).read_text(encoding="utf-8")
            parts = dict(part.split("=", 1) for part in text.strip().split(";") if "=" in part)
            context = ssl.create_default_context(cafile=hub.ca_file)
            authorization = _signature(parts["HostName"], parts["SharedAccessKeyName"], parts["SharedAccessKey"])
        except (OSError, ValueError, KeyError, msgspec.MsgspecError, ssl.SSLError) as error:
            raise HubAwayError("the local hub is not running: start it again with './vigie up'") from error
        address = urlsplit(hub.service_url)
        base = f"https://{address.netloc}/twins/{quote(hub.device_id, safe='')}/modules/"
        return _Session(context, authorization, base, within_s)


class _Session:
    def __init__(self, context: ssl.SSLContext, authorization: str, base: str, within_s: float) -> None:
        self._context, self._authorization, self._base, self._within_s = context, authorization, base, within_s

    async def __aenter__(self) -> tuple[aiohttp.ClientSession, str]:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._context),
            timeout=aiohttp.ClientTimeout(total=self._within_s),
            headers={"Authorization": self._authorization},
        )
        return self._session, self._base

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()


async def _call(session: aiohttp.ClientSession, verb: str, url: str, body: Json | None = None) -> Json:
    try:
        async with session.request(verb, f"{url}?api-version={_API_VERSION}", json=body) as response:
            answer = await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise HubAwayError("the local hub does not answer; it may be restarting: try again") from error
    if response.status >= 300:
        raise HubAnswerError(
            response.status, 0, f"the hub answered {response.status}: {answer[:300].decode(errors='replace')}"
        )
    return msgspec.json.decode(answer, type=dict[str, Any])


def inverse(before: Json, patch: Json) -> Json:
    """The merge patch that takes ``patch`` back from a document that was ``before``. Pure.

    An object that ``patch`` creates is removed whole; a value that it replaces comes back.
    """
    back: Json = {}
    for key, value in patch.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            back[key] = inverse(old, value)
        else:
            back[key] = old
    return back


def _signature(host: str, policy: str, key: str) -> str:
    """A shared access signature of the service side. Source: IoT Hub, "Control access using SAS tokens"."""
    resource, expires_at = quote_plus(host), int(time.time()) + _TOKEN_LIFE_S
    digest = hmac.new(base64.b64decode(key), f"{resource}\n{expires_at}".encode(), hashlib.sha256).digest()
    signature = quote(base64.b64encode(digest), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expires_at}&skn={policy}"
