"""One question to a device's web service, signed with its password's digest; the answer is bounded in time and bytes.

Source: ONVIF Core 5.9.4 and 5.12; WS-Security UsernameToken Profile 1.1: digest = Base64(SHA-1(nonce + created +
password)), so the password itself never crosses the network.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import secrets
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from vigie_devkit.onvif.xml import BYTES_MAX, Element, XmlError, parse

_WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_DIGEST: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
_ENVELOPE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope">'
    "<e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
)


class OnvifError(Exception):
    """What went wrong, for an operator; without a password."""


class LoginRefusedError(OnvifError):
    """The device does not take this user and password; asking for something else will not help."""

    def __init__(self) -> None:
        super().__init__("user or password refused")


@dataclass(frozen=True, slots=True)
class Login:
    """``clock_ahead``: how much the device's clock is before ours; it refuses digests of another time than its own."""

    user: str
    password: str
    clock_ahead: timedelta = timedelta()

    def header(self, now: datetime, nonce: bytes) -> str:
        """The UsernameToken of one request."""
        created = (now + self.clock_ahead).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hashlib.sha1(nonce + created.encode() + self.password.encode(), usedforsecurity=False).digest()
        return (
            f'<s:Security xmlns:s="{_WSSE}" xmlns:u="{_WSU}"><s:UsernameToken><s:Username>{escape(self.user)}'
            f'</s:Username><s:Password Type="{_DIGEST}">{base64.b64encode(digest).decode()}</s:Password>'
            f"<s:Nonce>{base64.b64encode(nonce).decode()}</s:Nonce><u:Created>{created}</u:Created>"
            "</s:UsernameToken></s:Security>"
        )


def ask(url: str, body: str, login: Login | None = None, *, within_s: float = 5.0) -> Element:
    """The answer's body. No redirect is followed. Raises: OnvifError."""
    header = "" if login is None else login.header(datetime.now(UTC), secrets.token_bytes(16))
    request = _ENVELOPE.format(header=header, body=body).encode()
    split = urlsplit(url)
    connect: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
    more = {}
    if split.scheme == "https":
        connect, more = http.client.HTTPSConnection, {"context": ssl.create_default_context()}
    deadline = time.monotonic() + within_s
    connection = connect(split.hostname or "", split.port, timeout=within_s, **more)
    try:
        connection.request("POST", split.path or "/", request, {"Content-Type": "application/soap+xml; charset=utf-8"})
        response = connection.getresponse()
        answer = _read(response, deadline)
        status = response.status
    except ssl.SSLError as error:
        raise OnvifError(f"its certificate is not accepted ({error.reason})") from error
    except TimeoutError as error:
        raise OnvifError("no answer in time") from error
    except (OSError, http.client.HTTPException) as error:
        raise OnvifError(f"does not answer ({type(error).__name__})") from error
    finally:
        connection.close()
    return _judged(status, answer)


def _judged(status: int, answer: bytes) -> Element:
    try:
        root = parse(answer) if answer else Element("", {})
    except XmlError as error:
        if status == http.HTTPStatus.UNAUTHORIZED:
            raise LoginRefusedError from error
        raise OnvifError(f"its answer (status {status}) {error}") from error
    fault = root.first("Body", "Fault")
    values = " ".join(value.text for value in fault.all("Value")) if fault is not None else ""
    if status == http.HTTPStatus.UNAUTHORIZED or "NotAuthorized" in values:
        raise LoginRefusedError
    if fault is not None or status != http.HTTPStatus.OK:
        why = "" if fault is None else fault.said("Text") or fault.said("Value")
        raise OnvifError(f"refuses (status {status}){': ' + why if why else ''}")
    body = root.first("Body")
    if body is None:
        raise OnvifError("its answer is not SOAP")
    return body


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Raises: OSError, OnvifError: too long, or too slow."""
    answer = bytearray()
    while chunk := response.read1(16_384):
        answer += chunk
        if len(answer) > BYTES_MAX:
            raise OnvifError("its answer is too long")
        if time.monotonic() > deadline:
            raise OnvifError("no answer in time")
    return bytes(answer)
