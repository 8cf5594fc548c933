"""An HTTP server on loopback that serves one file, well or badly."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Behaviour:
    """What the server does. ``cuts``: after how many body bytes the next answers break off, one per answer."""

    content: bytes
    cuts: list[int] = field(default_factory=list)
    etag: str | None = '"v1"'
    ranges: bool = True
    honest_if_range: bool = True
    content_length: int | None = None  # what it says, if not the truth
    range_total: int | None = None
    no_length: bool = False
    encoding: str | None = None
    statuses: list[int] = field(default_factory=list)  # answered first, one per request
    location: str | None = None
    hops: int = 0  # redirects to another path, one after the other, before it serves
    stalls: list[int] = field(default_factory=list)  # after how many body bytes the next answers say no more
    asked: list[dict[str, str]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        does = self.server.does
        does.asked.append({key.lower(): value for key, value in self.headers.items()} | {"path": self.path})
        if does.location is not None and self.path != "/moved":
            self._head(302, {"Location": does.location, "Content-Length": "0"})
            return
        hop = int(self.path.rpartition("-hop-")[2]) if "-hop-" in self.path else 0
        if hop < does.hops:
            self._head(302, {"Location": f"/x-hop-{hop + 1}", "Content-Length": "0"})
            return
        if does.statuses:
            self._head(does.statuses.pop(0), {"Content-Length": "0"})
            return
        start = self._start(does)
        if start is not None and start >= len(does.content):
            self._head(416, {"Content-Range": f"bytes */{len(does.content)}", "Content-Length": "0"})
            return
        body = does.content[start or 0 :]
        headers = {"ETag": does.etag} if does.etag else {}
        if does.encoding:
            headers["Content-Encoding"] = does.encoding
        if start is not None:
            total = does.range_total or len(does.content)
            headers["Content-Range"] = f"bytes {start}-{len(does.content) - 1}/{total}"
        if not does.no_length:
            headers["Content-Length"] = str(does.content_length or len(body))
        self._head(200 if start is None else 206, headers)
        if does.stalls:
            self.wfile.write(body[: does.stalls.pop(0)])
            self.wfile.flush()
            self.server.ended.wait()
            return
        self.wfile.write(body[: does.cuts.pop(0)] if does.cuts else body)

    def _start(self, does: Behaviour) -> int | None:
        wanted = self.headers.get("Range")
        if wanted is None or not does.ranges:
            return None
        condition = self.headers.get("If-Range")
        if condition is not None and condition != does.etag and does.honest_if_range:
            return None
        return int(wanted.removeprefix("bytes=").partition("-")[0])

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    does: Behaviour

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ended = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


@contextmanager
def serve(does: Behaviour, name: str = "model.zip", *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The URL of the file while it is served; with ``tls`` at https://localhost."""
    server = _Server()
    server.does = does
    if tls is not None:
        # The handshake belongs into the request's own thread: a client that breaks it off must not end the server.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        origin = "http://127.0.0.1" if tls is None else "https://localhost"
        yield f"{origin}:{server.server_port}/{name}"
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
