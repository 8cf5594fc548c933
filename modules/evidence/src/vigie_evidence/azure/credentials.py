"""Proving to a storage account who asks: a shared access signature, or the account's key.

Source: learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key (version 2015-02-21 and later), and
.../create-service-sas.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

_SIGNED_HEADERS = (
    "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
    "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
)  # fmt: skip


class Credentials(Protocol):
    """``url`` already has its own query; ``headers`` are all that will be sent, by lower-case names."""

    def sign(self, method: str, url: str, headers: dict[str, str], now: datetime) -> str:
        """Add what proves it to ``headers``. Returns: the address to ask, which may hold a token: never log it."""

    def expires(self) -> datetime | None:
        """When they end, where they say so."""


@dataclass(frozen=True, slots=True)
class Sas:
    """A token as the portal and `az storage container generate-sas` give it."""

    token: str = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Sas:
        """Raises: ValueError: it is not a token."""
        token = text.strip().removeprefix("?")
        if not token.isascii() or any(mark in token for mark in " \n\r#/"):
            raise ValueError("is not a SAS: expected sv=...&se=...&sp=...&sig=..., without an address")
        fields = dict(parse_qsl(token))
        missing = [name for name in ("sv", "sig") if name not in fields]
        if missing:
            raise ValueError(f"is not a SAS: {' and '.join(missing)} missing")
        rights = fields.get("sp")
        if rights is not None and not {"c", "w"} <= set(rights):
            raise ValueError(f"is a SAS that allows '{rights}'; blocks need c and w, resuming r as well: rcw")
        return cls(token)

    def sign(self, method: str, url: str, headers: dict[str, str], now: datetime) -> str:  # noqa: ARG002
        return f"{url}{'&' if '?' in url else '?'}{self.token}"

    def expires(self) -> datetime | None:
        end = dict(parse_qsl(self.token)).get("se")
        try:
            found = datetime.fromisoformat(end) if end else None
        except ValueError:
            return None
        return None if found is None else found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SharedKey:
    """An account's key: it may do everything, so a SAS is what a device should have."""

    account: str
    key: bytes = field(repr=False)

    def sign(self, method: str, url: str, headers: dict[str, str], now: datetime) -> str:
        headers["x-ms-date"] = format_datetime(now.astimezone(UTC), usegmt=True)
        text = string_to_sign(method, url, headers, self.account)
        signature = base64.b64encode(hmac.new(self.key, text.encode(), hashlib.sha256).digest()).decode()
        headers["authorization"] = f"SharedKey {self.account}:{signature}"
        return url

    def expires(self) -> datetime | None:
        return None


def string_to_sign(method: str, url: str, headers: Mapping[str, str], account: str) -> str:
    """What the account's key signs of a request."""
    parts = urlsplit(url)
    values = [headers.get(name, "") for name in _SIGNED_HEADERS]
    values[2] = "" if values[2] == "0" else values[2]
    values[5] = ""  # x-ms-date is sent instead
    ours = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers) if name.startswith("x-ms-"))
    resource = f"/{account}{parts.path}"
    for name, value in sorted((name.lower(), value) for name, value in _query(parts.query)):
        resource += f"\n{name}:{value}"
    return "\n".join([method, *values, ours + resource])


def _query(text: str) -> list[tuple[str, str]]:
    # Not parse_qsl: it reads '+' as a blank.
    found = (one.partition("=") for one in text.split("&") if one)
    return [(unquote(name), unquote(value)) for name, _, value in found]


def read_connection_string(text: str) -> Credentials:
    """`...;AccountName=...;AccountKey=...` or `...;SharedAccessSignature=...`. Raises: ValueError."""
    fields: dict[str, str] = {}
    for part in text.strip().strip(";").split(";"):
        name, mark, value = part.partition("=")
        if not mark:
            raise ValueError("is not a connection string: expected NAME=VALUE;NAME=VALUE")
        fields[name.strip().lower()] = value.strip()
    if "sharedaccesssignature" in fields:
        return Sas.of(fields["sharedaccesssignature"])
    if "accountname" not in fields or "accountkey" not in fields:
        raise ValueError("is a connection string without AccountName and AccountKey, or SharedAccessSignature")
    try:
        key = base64.b64decode(fields["accountkey"], validate=True)
    except binascii.Error as error:
        raise ValueError("is a connection string whose AccountKey is not base64") from error
    return SharedKey(fields["accountname"], key)
