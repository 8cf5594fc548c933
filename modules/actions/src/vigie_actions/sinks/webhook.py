"""A receiver over HTTP: one POST per batch, signed, answered by 2xx or sent again."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from vigie.checked_resolver import CheckedResolver
from vigie.contracts.envelope import CONTENT_TYPE
from vigie.errors import ConfigRefusedError, SecretMissingError, SecretRefusedError
from vigie.trusted_ca import context_of
from vigie_actions.config import Webhook
from vigie_actions.sinks.signature import headers_of, key_of
from vigie_actions.sinks.sink import Shipment, SinkAwayError, SinkRefusedError, Surroundings

# Answers about the message itself: nobody's waiting changes them. All others (404, 401, 5xx) somebody may put right.
_REFUSALS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
_LONGEST_RETRY_AFTER_S = 3600.0
_ANSWER_BYTES = 200


class WebhookSink:
    """See ``Sink``. Its event loop is its own: it runs only while something is delivered."""

    def __init__(self, settings: Webhook, around: Surroundings) -> None:
        """Raises: ConfigRefusedError: an address that this device does not connect to, or one that is no URL."""
        try:
            parts = urlsplit(settings.url)
            self._host = (parts.hostname or "").lower()
            _ = parts.port
        except ValueError as error:
            raise ConfigRefusedError("url", str(error)) from error
        if not self._host:
            raise ConfigRefusedError("url", "has no host")
        if (reason := around.policy.refuses_host(self._host)) is not None:
            raise ConfigRefusedError("url", reason)
        if parts.scheme == "http" and settings.bearer is not None:
            raise ConfigRefusedError("bearer", "would travel unencrypted; use https")
        self._settings, self._around = settings, around
        self._tls = parts.scheme == "https"
        self._runner: asyncio.Runner | None = None
        self._session: aiohttp.ClientSession | None = None

    def deliver(self, shipment: Shipment, timeout_s: float) -> None:
        headers = {"content-type": CONTENT_TYPE, "user-agent": f"vigie-actions/{self._around.version}"}
        try:
            headers |= self._secret_headers(shipment)
        except (SecretMissingError, SecretRefusedError, ValueError) as error:
            raise SinkAwayError(str(error)) from error
        if self._runner is None:
            self._runner = asyncio.Runner()
        self._runner.run(self._post(shipment.body, headers, timeout_s))

    def close(self) -> None:
        if self._runner is not None:
            if self._session is not None:
                self._runner.run(self._session.close())
            self._runner.close()
        self._runner = self._session = None

    def _secret_headers(self, shipment: Shipment) -> dict[str, str]:
        """Read at every try: a secret that is replaced on the device is in force at once."""
        settings, secrets = self._settings, self._around.secrets
        found = {"webhook-id": shipment.id}
        if settings.secret is not None:
            try:
                key = key_of(secrets.find(settings.secret, self._host))
            except ValueError as error:
                raise ValueError(f"secret '{settings.secret}': {error}") from error
            found |= headers_of(key, shipment.id, int(time.time()), shipment.body)
        if settings.bearer is not None:
            token = secrets.find(settings.bearer, self._host).reveal()
            if not token.isascii() or not token.isprintable():
                raise ValueError(f"secret '{settings.bearer}': holds what no HTTP header may")
            found["authorization"] = f"Bearer {token}"
        return found

    async def _post(self, body: bytes, headers: dict[str, str], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                if self._session is None:
                    self._session = self._opened()
                # Not followed: a redirect would take the events, and the check of the host, elsewhere.
                async with self._session.post(
                    self._settings.url, data=body, headers=headers, allow_redirects=False
                ) as answer:
                    said = (await answer.content.read(_ANSWER_BYTES)).decode("utf-8", "replace")
        except TimeoutError as error:
            raise SinkAwayError(f"no answer within {timeout_s:g} s") from error
        except aiohttp.ClientError as error:
            raise SinkAwayError(str(error) or type(error).__name__) from error
        except OSError as error:
            raise SinkAwayError(str(error)) from error
        if not 200 <= answer.status < 300:
            _explain(answer.status, answer.headers.get("retry-after"), answer.headers.get("location"), said)

    def _opened(self) -> aiohttp.ClientSession:
        try:
            tls = context_of(self._around.secrets_folder, self._settings.ca) if self._tls else True
        except (OSError, ValueError) as error:
            raise SinkAwayError(str(error)) from error
        connector = aiohttp.TCPConnector(resolver=CheckedResolver(self._around.policy), ssl=tls, limit=1)
        # No proxy, no cookies and no credentials of the environment.
        return aiohttp.ClientSession(connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar())


def _explain(status: int, retry_after: str | None, location: str | None, said: str) -> None:
    """Raises: SinkRefusedError, SinkAwayError."""
    text = f"answered {status}" + (f": {said.strip()}" if said.strip() else "")
    if status in _REFUSALS:
        raise SinkRefusedError(text)
    if location is not None and 300 <= status < 400:
        text = f"answered {status}, a redirect to {location[:200]}; redirects are not followed: set that url"
    retry_s = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    raise SinkAwayError(text, None if retry_s is None else min(retry_s, _LONGEST_RETRY_AFTER_S))
