"""One kept connection to an inference server: bounded answers, no redirects, only to hosts that the device allows."""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vigie.addresses import NetworkPolicy, network_policy
from vigie.log import Redacted
from vigie.secrets import SecretStore

NETWORKS_VARIABLE = "VIGIE_REMOTE_NETWORKS"
TEXT_BYTES_MAX = 1 << 20
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
_HEAD_LENGTH = "Inference-Header-Content-Length"


class RemoteError(Exception):
    """Why the server cannot be used. ``remedy`` may be empty."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is. ``path``: before ``/v2``, without a slash at its end; empty for gRPC."""

    tls: bool
    host: str
    port: int
    path: str
    grpc: bool = False

    @classmethod
    def of(cls, url: str) -> ServerAddress:
        """Raises: RemoteError: neither ``http(s)://host[:port][/path]`` nor ``grpc(s)://host:port``."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise RemoteError(f"{url!r} is not a URL") from None
        bad = (
            parts.scheme not in {"http", "https", "grpc", "grpcs"}
            or not parts.hostname
            or parts.query
            or parts.fragment
        )
        if bad or "@" in parts.netloc or any(ord(sign) <= 32 for sign in url):
            raise RemoteError(
                "the URL must be http(s)://host[:port][/path] or grpc(s)://host:port",
                "a token is a secret of the device",
            )
        if parts.scheme in {"grpc", "grpcs"}:
            if port is None or parts.path:
                raise RemoteError("a URL of gRPC must be grpc(s)://host:port", "Triton's port is 8001, MLServer's 8081")
            return cls(parts.scheme == "grpcs", parts.hostname or "", port, "", grpc=True)
        tls = parts.scheme == "https"
        return cls(tls, parts.hostname or "", port or (443 if tls else 80), parts.path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class Access:
    """What the device, not the twin, says: allowed networks, the token, whom to trust."""

    policy: NetworkPolicy
    token: Redacted | None = None
    ca_file: str = ""

    @classmethod
    def of_device(cls, target: ServerAddress, token: str, ca: str) -> Access:
        """Args: token, ca: names of secrets, empty for none; both lie in the secrets folder.

        Raises: RemoteError: a token for a connection without TLS. SecretMissingError, SecretRefusedError.
        ConfigRefusedError: the variable's words.
        """
        words = os.environ.get(NETWORKS_VARIABLE, "default").replace(",", " ").split()
        policy = network_policy(words, NETWORKS_VARIABLE)
        folder = Path(os.environ.get("VIGIE_SECRETS", "/run/secrets"))
        if token and not target.tls:
            tls = "grpcs" if target.grpc else "https"
            raise RemoteError("a token is never sent without TLS", f"use {tls}, or take the token out")
        if "/" in ca or ca in {".", ".."}:
            raise RemoteError(f"ca {ca!r} is not the name of a file in the secrets folder")
        secret = SecretStore(folder, os.environ).find(token, target.host) if token else None
        if secret is not None and not (secret.reveal().isascii() and secret.reveal().isprintable()):
            raise RemoteError(f"the secret '{token}' holds signs that no HTTP header takes")
        return cls(policy, secret, str(folder / ca) if ca else "")


class Client:
    """Used by one thread. Every error is a RemoteError that names the host."""

    def __init__(self, target: ServerAddress, access: Access, *, timeout_s: float) -> None:
        self._target = target
        self._access = access
        self._timeout_s = timeout_s
        self._where = f"{target.host}:{target.port}"
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of ``GET path``."""
        status, _, body = self._exchange("GET", path, (), {}, TEXT_BYTES_MAX)
        return status, body

    def infer(self, path: str, head: bytes, tensor: memoryview, limit: int) -> tuple[int, int | None, bytes]:
        """Status, length of the answer's head if it has binary parts, and body of at most ``limit`` bytes."""
        headers = {_HEAD_LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}
        status, answer, body = self._exchange("POST", path, (head, tensor), headers, limit)
        length = answer.get(_HEAD_LENGTH, "")
        return status, int(length) if length.isascii() and length.isdecimal() else None, body

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(
        self, method: str, path: str, parts: tuple[bytes | memoryview, ...], headers: dict[str, str], limit: int
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        kept = self._connection is not None
        try:
            return self._once(method, path, parts, headers, limit)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            # A server closes what was idle; an inference has no effect that a second one would double.
            if not (kept and isinstance(error, http.client.RemoteDisconnected | ConnectionError)):
                raise RemoteError(f"{self._where}: {_in_words(error, self._timeout_s)}") from error
        try:
            return self._once(method, path, parts, headers, limit)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise RemoteError(f"{self._where}: {_in_words(error, self._timeout_s)}") from error

    def _once(
        self, method: str, path: str, parts: tuple[bytes | memoryview, ...], headers: dict[str, str], limit: int
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self._connection = self._connection or self._connect()
        sent = {"Host": self._where, **headers}
        if parts:
            sent["Content-Length"] = str(sum(len(part) for part in parts))
        if self._access.token is not None:
            sent["Authorization"] = f"Bearer {self._access.token.reveal()}"
        connection.putrequest(method, f"{self._target.path}{path}", skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders()
        for part in parts:
            connection.send(part)
        answer = connection.getresponse()
        body = answer.read(limit + 1)
        if len(body) > limit:
            self.close()
            raise RemoteError(f"{self._where}: its answer has more than {limit} bytes")
        return answer.status, answer.headers, body

    def _connect(self) -> http.client.HTTPConnection:
        target = self._target
        connection = http.client.HTTPConnection(target.host, target.port, timeout=self._timeout_s)
        connection.sock = self._socket()
        return connection

    def _socket(self) -> socket.socket:
        """Connected to an allowed address: the one that was judged, not a second answer of the name server."""
        target, last = self._target, OSError("it has no address")
        for family, kind, protocol, _, address in addresses_of(target, self._access.policy):
            plain = socket.socket(family, kind, protocol)
            try:
                plain.settimeout(self._timeout_s)
                plain.connect(address)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self._secured(plain) if target.tls else plain
            except OSError as error:
                plain.close()
                last = error
        raise last

    def _secured(self, plain: socket.socket) -> socket.socket:
        context = ssl.create_default_context(cafile=self._access.ca_file or None)
        return context.wrap_socket(plain, server_hostname=self._target.host)


def addresses_of(target: ServerAddress, policy: NetworkPolicy) -> Sequence[AddressInfo]:
    """Of the host, as the name server tells them now; none is connected to before all were judged.

    Raises: RemoteError: one of them is not allowed. OSError: the name is not known.
    """
    found: Sequence[AddressInfo] = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    for *_, address in found:
        refused = policy.refuses_address(target.host, ipaddress.ip_address(str(address[0])))
        if refused is not None:
            raise RemoteError(f"{target.host}:{target.port}: {refused}")
    return found


def _in_words(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
