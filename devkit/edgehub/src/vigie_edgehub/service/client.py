"""A thin client of a local hub's service: the same REST that cloud tools use, found through hub.json.

Standard library HTTP only, so that a command starts quickly; proxies of the environment are not asked, because the
hub is on this machine.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from vigie.errors import HubAnswerError, HubAwayError
from vigie_edgehub.owner import leaf_device
from vigie_edgehub.ports import JsonObject, MethodResult, Misbehaviour
from vigie_edgehub.service.credentials import ConnectionString
from vigie_edgehub.service.description import HubDescription, read_description
from vigie_edgehub.upstream.reader import UpstreamFilter
from vigie_edgehub.upstream.record import UpstreamRecord

_API_VERSION = "2021-04-12"
_TOKEN_LIFE_S = 3600


class ServiceClient:
    """One hub. Blocking; each call has its own connection.

    Every call raises HubAwayError (nobody answers) or HubAnswerError (the hub refused, with its codes).
    """

    def __init__(self, hub: HubDescription, credentials: ConnectionString, *, timeout_s: float = 30.0) -> None:
        self.hub = hub
        self._credentials = credentials
        self._timeout_s = timeout_s
        address = urlsplit(hub.service_url)
        self._host, self._port = address.hostname or "", address.port or 443
        self._device = quote(hub.device_id, safe="")
        self._tls = ssl.create_default_context(cafile=hub.ca_file)

    @classmethod
    def open(cls, state: Path, *, timeout_s: float = 30.0) -> Self:
        """Find the hub whose state folder is ``state``.

        Raises: HubAwayError.
        """
        hub = read_description(state)
        try:
            text = Path(hub.service_connection_string_file).read_text(encoding="utf-8")
            return cls(hub, ConnectionString.parse(text), timeout_s=timeout_s)
        except (OSError, ValueError, ssl.SSLError) as error:
            raise HubAwayError(f"the credentials of the hub in {state} cannot be read ({error})") from error

    def twin(self, module: str | None) -> JsonObject:
        """Return the service view of a module's twin (None: the device's)."""
        return self._object("GET", self._twin_path(module))

    def patch_twin(self, module: str | None, body: JsonObject, *, etag: str | None = None) -> JsonObject:
        """Merge ``tags`` and ``properties.desired``; returns the twin afterwards."""
        return self._object("PATCH", self._twin_path(module), body, etag=etag)

    def replace_twin(self, module: str | None, body: JsonObject, *, etag: str | None = None) -> JsonObject:
        return self._object("PUT", self._twin_path(module), body, etag=etag)

    def invoke_method(
        self,
        module: str,
        name: str,
        payload: bytes = b"",
        *,
        response_timeout_s: float | None = None,
        connect_timeout_s: float | None = None,
    ) -> MethodResult:
        """Call a direct method; ``payload`` is JSON text, empty for none."""
        body: dict[str, Any] = {"methodName": name}
        if payload:
            body["payload"] = msgspec.Raw(payload)
        if response_timeout_s is not None:
            body["responseTimeoutInSeconds"] = response_timeout_s
        if connect_timeout_s is not None:
            body["connectTimeoutInSeconds"] = connect_timeout_s
        wait_s = (30.0 if response_timeout_s is None else response_timeout_s) + (connect_timeout_s or 0.0)
        answer = self._call("POST", f"{self._twin_path(module)}/methods", body, timeout_s=wait_s + self._timeout_s)
        return msgspec.json.decode(answer, type=MethodResult)

    def modules(self) -> list[JsonObject]:
        return msgspec.json.decode(self._call("GET", f"/devices/{self._device}/modules"), type=list[dict[str, Any]])

    def module(self, module: str) -> JsonObject:
        """Return a module's identity, keys included."""
        return self._object("GET", f"/devices/{self._device}/modules/{quote(module, safe='')}")

    def devices(self) -> list[JsonObject]:
        """Return the identities of the edge device and of all leaf devices."""
        return msgspec.json.decode(self._call("GET", "/devices"), type=list[dict[str, Any]])

    def add_device(self, device: str) -> JsonObject:
        """Make ``device`` a leaf device of this edge device, or leave it one; returns its identity, keys included."""
        path = f"/devices/{quote(device, safe='')}"
        edge, *leafs = self.devices()
        known = next((one for one in leafs if one["deviceId"] == device), None)
        if known is not None and edge["deviceScope"] in known["parentScopes"]:
            return known
        body = {"deviceId": device, "deviceScope": edge["deviceScope"]}
        return self._object("PUT", path, body, etag=None if known is None else known["etag"])

    def send_to_device(self, device: str, body: bytes, headers: dict[str, str]) -> None:
        """Queue a cloud-to-device message; ``headers`` as `service.devices.send` reads them."""
        path = f"/devices/{quote(device, safe='')}/messages/devicebound"
        with self._response("POST", path, body, headers=headers, timeout_s=self._timeout_s):
            pass

    def apply_configuration(self, content: JsonObject) -> None:
        self._call("POST", f"/devices/{self._device}/applyConfigurationContent", content)

    def send_message(self, **message: object) -> int:
        """Send one message by hand (fields of `messages.SentMessage`); returns how many endpoints it went to."""
        return int(self._object("POST", "/vigie/messages", message)["endpoints"])

    def watch(self, module: str | None = None, output: str | None = None) -> Iterator[UpstreamRecord]:
        """Yield what modules send from now on, until the hub ends."""
        asked = {"module": module, "output": output}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        with self._response("GET", f"/vigie/messages?{query}", timeout_s=None) as response:
            for line in response:
                yield msgspec.json.decode(line, type=UpstreamRecord)

    def query(self, text: str) -> list[JsonObject]:
        """Return the first 1,000 results of a query over twins."""
        answer = self._call("POST", "/devices/query", {"query": text}, headers={"x-ms-max-item-count": "1000"})
        return msgspec.json.decode(answer, type=list[dict[str, Any]])

    def status(self) -> JsonObject:
        """Return counters, queues, connections, faults in force and the upstream record's counters."""
        return self._object("GET", "/vigie/status")

    def misbehaviour(self) -> Misbehaviour:
        return msgspec.json.decode(self._call("GET", "/vigie/misbehaviour"), type=Misbehaviour)

    def misbehave(self, **changes: float | bool) -> Misbehaviour:
        """Change the named settings of `Misbehaviour`, keep the others; returns all."""
        return msgspec.json.decode(self._call("PATCH", "/vigie/misbehaviour", changes), type=Misbehaviour)

    def behave(self) -> Misbehaviour:
        """End every misbehaviour."""
        return msgspec.json.decode(self._call("DELETE", "/vigie/misbehaviour"), type=Misbehaviour)

    def drop_connections(self, modules: Sequence[str] | None = None, *, abrupt: bool = False) -> int:
        """Close the connections of ``modules`` (None: all); returns how many there were."""
        body = {"modules": None if modules is None else list(modules), "abrupt": abrupt}
        return int(self._object("POST", "/vigie/connections/drop", body)["dropped"])

    def restart_listener(self) -> None:
        self._call("POST", "/vigie/restart", {})

    def upstream(
        self,
        wanted: UpstreamFilter | None = None,
        *,
        after: int = 0,
        last: int | None = None,
        limit: int | None = None,
        follow: bool = False,
    ) -> Iterator[UpstreamRecord]:
        """Yield recorded messages, oldest first; with ``follow`` it goes on until the hub ends."""
        asked: dict[str, Any] = {"after": after, "last": last, "limit": limit, "follow": "true" if follow else None}
        asked |= msgspec.to_builtins(wanted or UpstreamFilter())
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        timeout_s = None if follow else self._timeout_s
        with self._response("GET", f"/vigie/upstream?{query}", timeout_s=timeout_s) as response:
            for line in response:
                yield msgspec.json.decode(line, type=UpstreamRecord)

    def _twin_path(self, module: str | None) -> str:
        leaf = None if module is None else leaf_device(module)
        if leaf is not None:
            return f"/twins/{quote(leaf, safe='')}"
        device = f"/twins/{self._device}"
        return device if module is None else f"{device}/modules/{quote(module, safe='')}"

    def _object(self, verb: str, path: str, body: JsonObject | None = None, *, etag: str | None = None) -> JsonObject:
        headers = {} if etag is None else {"If-Match": f'"{etag}"'}
        return msgspec.json.decode(self._call(verb, path, body, headers=headers), type=dict[str, Any])

    def _call(
        self,
        verb: str,
        path: str,
        body: JsonObject | None = None,
        *,
        headers: dict[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> bytes:
        wait_s = self._timeout_s if timeout_s is None else timeout_s
        with self._response(verb, path, body, headers=headers, timeout_s=wait_s) as response:
            return response.read()

    @contextmanager
    def _response(
        self,
        verb: str,
        path: str,
        body: JsonObject | bytes | None = None,
        *,
        headers: dict[str, str] | None = None,
        timeout_s: float | None,
    ) -> Iterator[http.client.HTTPResponse]:
        path = f"{path}{'&' if '?' in path else '?'}api-version={_API_VERSION}"
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=self._tls)
        try:
            connection.request(
                verb,
                path,
                body if body is None or isinstance(body, bytes) else msgspec.json.encode(body),
                {
                    "Authorization": self._credentials.token(int(time.time()) + _TOKEN_LIFE_S),
                    "Content-Type": "application/json; charset=utf-8",
                    **(headers or {}),
                },
            )
            response = connection.getresponse()
            if response.status >= 300:
                raise _refusal(response.status, response.read())
            yield response
        except ssl.SSLCertVerificationError as error:
            raise HubAwayError(
                f"the certificate of the local hub at {self.hub.service_url} is not accepted "
                f"({error.verify_message}); remove {Path(self.hub.ca_file).parent} and start the hub again"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise HubAwayError(
                f"the local hub at {self.hub.service_url} (process {self.hub.pid}) does not answer ({error}); "
                f"start it again with './vigie up' or './vigie hub run'"
            ) from error
        finally:
            connection.close()


def _refusal(status: int, body: bytes) -> HubAnswerError:
    """Unwrap the message that lies as JSON in a string inside JSON."""
    try:
        inner = msgspec.json.decode(msgspec.json.decode(body)["Message"])
        return HubAnswerError(status, int(inner["errorCode"]), str(inner["message"]))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return HubAnswerError(status, 0, f"the hub answered {status}: {body[:200].decode(errors='replace')}")
