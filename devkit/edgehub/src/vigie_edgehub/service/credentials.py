"""Shared access signatures of the service side: the connection string, tokens made from it, tokens believed.

Pure: the time is an argument. Source: the token form of IoT Hub,
``SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={policy}``.
"""

from __future__ import annotations

import binascii
import hmac
from typing import Self
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import msgspec

from vigie_edgehub.ports import HubRefusalError, RefusalCode, ServiceSettings
from vigie_edgehub.shell.tokens import sign

POLICY = "iothubowner"


class UnauthorizedError(HubRefusalError):
    error_code = RefusalCode.IotHubUnauthorizedAccess


class ConnectionString(msgspec.Struct, frozen=True):
    """What an operator's tool needs. ``key`` is base64; ``host`` may carry ``:port``."""

    host: str
    policy: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError: a part is missing."""
        parts = dict(part.split("=", 1) for part in text.strip().split(";") if "=" in part)
        try:
            return cls(parts["HostName"], parts["SharedAccessKeyName"], parts["SharedAccessKey"])
        except KeyError as missing:
            raise ValueError(f"connection string has no {missing.args[0]}") from None

    def __str__(self) -> str:
        return f"HostName={self.host};SharedAccessKeyName={self.policy};SharedAccessKey={self.key}"

    def __repr__(self) -> str:
        return f"ConnectionString(host={self.host!r}, policy={self.policy!r}, key=...)"

    def token(self, expires_at: int) -> str:
        """Return a token for the whole service, good until ``expires_at`` (seconds since the epoch)."""
        resource = quote_plus(self.host)
        signature = quote(_signature(self.key, resource, str(expires_at)), safe="")
        return f"SharedAccessSignature sr={resource}&sig={signature}&se={expires_at}&skn={self.policy}"


def check_authorization(header: str | None, path: str, settings: ServiceSettings, port: int, now: float) -> None:
    """Believe the ``Authorization`` header of a request for ``path``, or raise.

    Raises: UnauthorizedError: absent, unreadable, expired, another policy or resource, or a wrong signature.
    """
    if not (header or "").isascii():
        raise UnauthorizedError(
            "the Authorization header contains characters that a shared access signature cannot have"
        )
    scheme, _, fields = (header or "").strip().partition(" ")
    if scheme.lower() != "sharedaccesssignature":
        raise UnauthorizedError("no shared access signature in the Authorization header")
    token = dict(field.split("=", 1) for field in fields.strip().split("&") if "=" in field)
    if missing := {"sr", "sig", "se", "skn"} - token.keys():
        raise UnauthorizedError(f"the shared access signature has no {', '.join(sorted(missing))}")
    if unquote_plus(token["skn"]) != settings.policy_name:
        raise UnauthorizedError(f"policy '{unquote_plus(token['skn'])}' is unknown here")
    try:
        expires_at = int(token["se"])
    except ValueError:
        raise UnauthorizedError("the expiry of the shared access signature is not a number") from None
    if expires_at <= now:
        raise UnauthorizedError(f"the shared access signature expired {now - expires_at:.0f} s ago")
    hosts = (settings.listen, *settings.hostnames)
    own = (*hosts, *(f"{host}:{port}" for host in hosts))
    resource = unquote_plus(token["sr"])
    host, *below = resource.removeprefix("https://").rstrip("/").split("/")
    if host.lower() not in {known.lower() for known in own}:
        raise UnauthorizedError(f"the shared access signature is for '{resource}', not for this hub")
    if not _covers(below, path):
        raise UnauthorizedError(f"the shared access signature is for '{resource}', not for '{path}'")
    expected = _signature(settings.policy_key, token["sr"], token["se"])
    if not hmac.compare_digest(expected.encode(), unquote(token["sig"]).encode()):
        raise UnauthorizedError("the shared access signature does not match its key")


def _covers(below: list[str], path: str) -> bool:
    """A token for the bare host is for everything; one for ``host/devices/a`` for that and what lies below it.

    Source: learn.microsoft.com, "Control access to IoT Hub by using SAS tokens": the resource is a prefix, by segment.
    """
    return [unquote(part) for part in path.strip("/").split("/")][: len(below)] == below


def _signature(key: str, resource: str, expiry: str) -> str:
    try:
        return sign(key, f"{resource}\n{expiry}".encode())
    except binascii.Error:
        raise ValueError("the shared access key is not base64") from None
