"""Where a download may go: https anywhere, plain http to this machine only, through the user's proxy and CAs."""

from __future__ import annotations

import ipaddress
import os
import ssl
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit, urlunsplit

from vigie.errors import DownloadRefusedError

SILENT_S = 30.0
REDIRECTS_MAX = 5


def open_link(
    url: str,
    headers: Mapping[str, str],
    *,
    authorization: str = "",
    timeout_s: float = SILENT_S,
    method: str = "GET",
    body: bytes | None = None,
) -> HTTPResponse:
    """Send a request and return the open response. ``authorization`` is for this host: no redirect takes it along.

    Proxies come from HTTPS_PROXY and NO_PROXY as everywhere in Python; CAs from the system, SSL_CERT_FILE and
    SSL_CERT_DIR (by OpenSSL), and REQUESTS_CA_BUNDLE, which pip and requests know too.
    Raises: DownloadRefusedError: the URL, or one it redirects to, may not be asked. OSError, HTTPException: no answer.
    """
    plain = check_link(url)
    # A proxy would take a loopback request off this machine, unencrypted.
    proxies = urllib.request.ProxyHandler({}) if plain else urllib.request.ProxyHandler()
    secure = urllib.request.HTTPSHandler(context=_context())
    opener = urllib.request.build_opener(proxies, secure, _Redirects(allow_plain=plain))
    request = urllib.request.Request(  # noqa: S310  # the scheme was just checked
        url, body, {"User-Agent": "vigie", "Accept-Encoding": "identity", **headers}, method=method
    )
    if authorization:
        request.add_unredirected_header("Authorization", authorization)
    response: HTTPResponse = opener.open(request, timeout=timeout_s)
    return response


def check_link(url: str) -> bool:
    """Whether ``url`` is plain http to this machine; false: https. Raises: DownloadRefusedError: anything else."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise DownloadRefusedError("the URL", "cannot be read; correct it") from error
    if parts.username or parts.password:
        raise DownloadRefusedError(shown(url), "holds a password; no password belongs into this URL")
    if parts.scheme == "https" and host:
        return False
    if parts.scheme == "http" and _is_loopback(host):
        return True
    raise DownloadRefusedError(shown(url), "is not https (plain http is taken from this machine only)")


def shown(url: str) -> str:
    """The URL without what may be secret in it: user, query, fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    extra = os.environ.get("REQUESTS_CA_BUNDLE")
    if extra:
        try:
            context.load_verify_locations(**{"capath" if Path(extra).is_dir() else "cafile": extra})
        except (OSError, ssl.SSLError) as error:
            raise DownloadRefusedError("REQUESTS_CA_BUNDLE", f"{extra} cannot be read as certificates") from error
    return context


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https; to plain http on this machine only from there."""

    max_redirections = REDIRECTS_MAX

    def __init__(self, *, allow_plain: bool) -> None:
        self._allow_plain = allow_plain

    def redirect_request(  # noqa: PLR0917  # the signature is urllib's
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if check_link(newurl) and not self._allow_plain:
            raise DownloadRefusedError(shown(req.full_url), f"redirects to {shown(newurl)}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]  # typeshed wants HTTPMessage
