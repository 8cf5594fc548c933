"""HTTP for cameras: one address at a time, each checked against the device's policy before it is connected to.

FFmpeg would follow redirects and playlists wherever they lead; here every address, also one that a camera's answer
names, is looked up, checked, and connected to as that address. The password goes to the camera's own host alone.
"""

from __future__ import annotations

import errno
import http.client
import ipaddress
import socket
import ssl
import urllib.request
from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from vigie_camera.cause import REMEDY, Cause
from vigie_camera.decode.backend import VideoError, VideoOptions
from vigie_camera.source_policy import SourcePolicy

_PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS_MOST: Final = 3
_NO_ROUTE: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
_STATUS: Final[dict[int, tuple[Cause, str]]] = {
    401: (Cause.UNAUTHORISED, REMEDY[Cause.UNAUTHORISED]),
    403: (Cause.UNAUTHORISED, "access refused; this user may not see the video"),
    404: (Cause.NOT_FOUND, REMEDY[Cause.NOT_FOUND]),
    410: (Cause.NOT_FOUND, REMEDY[Cause.NOT_FOUND]),
    429: (Cause.REFUSED, "the camera is busy: too many requests"),
}


class WebResponse:
    """An answer with status 200; reads its body. ``url`` is where it came from, redirects followed."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, url: str) -> None:
        """Takes over ``connection``."""
        self._connection, self._response = connection, response
        self.url = self.name = url
        self.content_type = response.headers.get("Content-Type", "")

    def read(self, count: int = -1) -> bytes:
        """Up to ``count`` bytes, as they come. Raises: VideoError."""
        try:
            return self._response.read1(count)
        except (OSError, http.client.HTTPException) as error:
            late = isinstance(error, TimeoutError)
            raise VideoError(Cause.STALLED, "no data in time" if late else "the connection ended") from None

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class WebClient:
    """Asks one camera, and whom it refers to."""

    def __init__(self, address: str, policy: SourcePolicy, options: VideoOptions) -> None:
        """``address``: http(s), with user and password. Nothing is asked yet."""
        split = urlsplit(address)
        self._policy, self._options = policy, options
        self._home = _place(split)
        self._user, self._password = unquote(split.username or ""), unquote(split.password or "")
        self.url = split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()

    def get(self, url: str | None = None) -> WebResponse:
        """Ask ``url`` (else the camera's own) and follow where it leads.

        Raises: VideoError: no answer, one that is an error, or a place that the policy refuses.
        """
        url, authorization, followed = url or self.url, None, 0
        while True:
            split = urlsplit(url)
            connection, response = self._ask(split, authorization)
            if response.status == 200:
                if connection.sock is not None:
                    connection.sock.settimeout(self._options.read_timeout_s)
                return WebResponse(connection, response, url)
            connection.close()
            if response.status == 401 and authorization is None and self._user and _place(split) == self._home:
                authorization = self._authorization(url, response)
                continue
            location = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                raise _refused(response.status)
            followed, authorization = followed + 1, None
            if followed > _REDIRECTS_MOST:
                raise VideoError(Cause.NOT_FOUND, f"redirects more than {_REDIRECTS_MOST} times; check the path")
            url = _followed(url, location)

    def _ask(
        self, split: SplitResult, authorization: str | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        scheme, host, port = _place(split)
        address = self._allowed(host, port)
        path = (split.path or "/") + (f"?{split.query}" if split.query else "")
        connection: http.client.HTTPConnection
        if scheme == "https":
            connection = http.client.HTTPSConnection(
                host, port, timeout=self._options.open_timeout_s, context=_context(self._options)
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._options.open_timeout_s)
        # The address that was checked is the one connected to; the name stays for the certificate and the Host header.
        connection._create_connection = lambda _place, timeout, source=None: socket.create_connection(  # type: ignore[attr-defined]  # noqa: SLF001
            (address, port), timeout, source
        )
        headers = {"User-Agent": "vigie", "Accept": "*/*", "Connection": "close"}
        if authorization:
            headers["Authorization"] = authorization
        try:
            connection.request("GET", path, headers=headers)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise _failed(error) from None

    def _allowed(self, host: str, port: int) -> str:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise VideoError(Cause.DNS, REMEDY[Cause.DNS]) from None
        refused: str | None = None
        for entry in found:
            address = str(entry[4][0])
            reason = self._policy.refuses_address(host, ipaddress.ip_address(address.partition("%")[0]))
            if reason is None:
                return address
            refused = refused or reason
        raise VideoError(Cause.REFUSED, f"leads to an address that is not opened: {refused}")

    def _authorization(self, url: str, response: http.client.HTTPResponse) -> str:
        """What the camera asks for: digest where it offers that, else basic."""
        for offered in response.headers.get_all("WWW-Authenticate") or []:
            scheme, _, rest = offered.partition(" ")
            if scheme.lower() == "digest":
                known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
                known.add_password(None, url, self._user, self._password)
                asked = urllib.request.parse_keqv_list(urllib.request.parse_http_list(rest))
                try:
                    digest = urllib.request.HTTPDigestAuthHandler(known).get_authorization(
                        urllib.request.Request(url),  # noqa: S310 - it is not opened
                        asked,
                    )
                except (ValueError, KeyError):
                    digest = None
                if digest:
                    return f"Digest {digest}"
        import base64

        return "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()


def _place(split: SplitResult) -> tuple[str, str, int]:
    scheme = split.scheme.lower()
    try:
        port = split.port
    except ValueError:
        port = None
    if scheme not in _PORTS or not split.hostname:
        raise VideoError(Cause.NOT_FOUND, "leads to an address that is not http:// or https://")
    return scheme, split.hostname, port or _PORTS[scheme]


def _followed(url: str, location: str) -> str:
    target = urljoin(url, location)
    split = urlsplit(target)
    if url.lower().startswith("https:") and split.scheme.lower() != "https":
        raise VideoError(Cause.REFUSED, "redirects from https:// to an address without protection")
    return split._replace(netloc=split.netloc.rpartition("@")[2], fragment="").geturl()


def _context(options: VideoOptions) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.ca_file or None)
    if not options.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _refused(status: int) -> VideoError:
    cause, reason = _STATUS.get(status, (Cause.NOT_FOUND, f"answers with status {status}; check the path"))
    return (
        VideoError(Cause.REFUSED, f"reports an error of its own (status {status})")
        if status >= 500
        else VideoError(cause, reason)
    )


def _failed(error: Exception) -> VideoError:
    """``error`` of asking, without its text, which may hold the address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return VideoError(Cause.UNAUTHORISED, "its certificate is not one that is trusted here; see camera-ca.pem")
    if isinstance(error, TimeoutError):
        return VideoError(Cause.TIMEOUT, REMEDY[Cause.TIMEOUT])
    if isinstance(error, ConnectionRefusedError):
        return VideoError(Cause.REFUSED, REMEDY[Cause.REFUSED])
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return VideoError(Cause.UNREACHABLE, REMEDY[Cause.UNREACHABLE])
    return VideoError(Cause.NO_VIDEO, "does not answer as an HTTP server does; check scheme and port")
