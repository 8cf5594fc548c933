"""Whole HTTP requests to something that runs."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz.registry import Call, target
from support.mutation import Mutations


class Requests:
    """Bytes to a running server: it answers something other than 500, or hangs up; and it lives."""

    def __init__(self, connect: Callable[[], socket.socket], close: Callable[[], None]) -> None:
        self._connect, self.close = connect, close

    def __call__(self, data: bytes) -> None:
        answer = b""
        with self._connect() as link, contextlib.suppress(TimeoutError, ConnectionError, ssl.SSLError):
            link.settimeout(10.0)
            link.sendall(data + b"\r\n\r\n")
            link.settimeout(0.05)  # half a request is waited for by the server, not by us
            while len(answer) < 64 and (chunk := link.recv(4096)):
                answer += chunk
        assert b" 500 " not in answer[:16], answer[:300]


@target
def requests_to_a_module(folder: Path) -> tuple[Mutations, Call]:
    import asyncio
    import threading

    from vigie.endpoints import serve_endpoints
    from vigie.health import Health
    from vigie.metrics import Metrics

    loop, ports, done = asyncio.new_event_loop(), [], threading.Event()

    async def serve() -> None:
        async with serve_endpoints(("127.0.0.1", 0), Metrics(), Health(), folder) as endpoint:
            ports.append(endpoint.port)
            while not done.is_set():
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    while not ports:
        assert thread.is_alive()

    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", ports[0]), 10.0)

    def close() -> None:
        with connect() as link:
            link.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert b" 200 " in link.recv(200)
        done.set()
        thread.join(10.0)
        loop.close()

    seeds = [
        f"GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close".encode() for path in ("metrics", "healthz", "readyz")
    ]
    chunked = b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0"
    return Mutations([*seeds, chunked]), Requests(connect, close)


@target
def requests_to_the_hub(folder: Path) -> tuple[Mutations, Call]:
    from support.service_side import OperatedHub, manifest
    from vigie_edgehub.service.credentials import ConnectionString

    hub = OperatedHub(folder / "hub", manifest("a")).start()
    described = hub.description
    host, _, port = described["service_url"].removeprefix("https://").partition(":")
    tls = ssl.create_default_context(cafile=described["ca_file"])
    line = ConnectionString.parse(hub.connection_string)
    device = described["device_id"]
    version = "api-version=2021-04-12"
    head = f" HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: {line.token(2_000_000_000)}\r\n"

    def request(verb: str, path: str, body: Any = None) -> bytes:
        text = b"" if body is None else json.dumps(body).encode()
        return f"{verb} {path}?{version}{head}Content-Length: {len(text)}\r\n\r\n".encode() + text

    seeds = [
        request("GET", f"/twins/{device}/modules/a"),
        request("PATCH", f"/twins/{device}/modules/a", {"properties": {"desired": {"fps": 3, "deep": {"x": [1]}}}}),
        request(
            "POST",
            f"/twins/{device}/modules/a/methods",
            {"methodName": "x", "payload": {}, "responseTimeoutInSeconds": 5},
        ),
        request("POST", "/devices/query", {"query": "SELECT * FROM devices WHERE tags.x = 1"}),
        request("GET", "/statistics/devices"),
    ]

    def connect() -> socket.socket:
        return tls.wrap_socket(socket.create_connection((host, int(port)), 10.0), server_hostname=host)

    def close() -> None:
        try:
            status, _, _ = hub.raw(
                "GET", f"/twins/{device}?{version}", headers={"Authorization": line.token(2_000_000_000)}
            )
            assert status == 200
            assert hub.stop() == 0
            assert "Traceback" not in hub.log()
        finally:
            hub.close()

    return Mutations(seeds), Requests(connect, close)
