"""A real blob service: Azure's own emulator, Azurite, as a process on loopback, with a gate before it that can fail."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from yarl import URL

from support.node import ROOT, node_folder
from vigie_edgehub.shell.certificates import Certificates
from vigie_evidence.azure.credentials import SharedKey

ACCOUNT = "vigie"
KEY = base64.b64encode(bytes(range(64))).decode()
CONTAINER = "evidence"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Azurite:
    """``start`` and ``stop`` it at will; what it has outlives it."""

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        self._main = node_folder(ROOT / "tests/azurite") / "node_modules/azurite/dist/src/blob/main.js"
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.tls = folder, tls
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.certificate: list[str] = []
        if tls:
            certificates = Certificates(folder / "ca")
            certificates.prepare(["localhost", "127.0.0.1"])
            self.ca = certificates.ca_file
            self.certificate = ["--cert", f"{folder}/ca/server.pem", "--key", f"{folder}/ca/server.key"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"http{'s' if self.tls else ''}://{'localhost' if self.tls else '127.0.0.1'}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base}/{ACCOUNT}/{CONTAINER}"

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={self.base}/{ACCOUNT}"
        )

    def start(self) -> None:
        command = [
            shutil.which("node") or "node", str(self._main), "--blobHost", "127.0.0.1", "--blobPort", str(self.port),
            "--location", str(self.folder), "--silent", "--disableTelemetry", *self.certificate,
        ]  # fmt: skip
        environ = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
        until_s = time.monotonic() + 90
        while time.monotonic() < until_s:
            assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.05)
        raise AssertionError(f"no Azurite on port {self.port}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    @contextmanager
    def running(self) -> Iterator[Azurite]:
        self.start()
        try:
            yield self
        finally:
            self.stop()

    async def ask(self, method: str, path: str, query: str = "") -> tuple[int, dict[str, str], bytes]:
        """As the account's owner: a request about the account, with its key."""
        headers = {"x-ms-version": "2021-12-02", "content-length": "0"}
        url = f"{self.base}/{ACCOUNT}/{path}" + (f"?{query}" if query else "")
        SharedKey(ACCOUNT, base64.b64decode(KEY)).sign(method, url, headers, datetime.now(UTC))
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session,
            session.request(
                method, URL(url, encoded=True), headers=headers, skip_auto_headers=("content-type",)
            ) as one,
        ):
            return one.status, {name.lower(): value for name, value in one.headers.items()}, await one.read()

    async def make_container(self) -> None:
        status, _, body = await self.ask("PUT", CONTAINER, "restype=container")
        assert status in {201, 409}, body

    async def drop_container(self) -> None:
        await self.ask("DELETE", CONTAINER, "restype=container")

    async def blobs(self) -> list[str]:
        _, _, body = await self.ask("GET", CONTAINER, "comp=list&restype=container")
        text = body.decode()
        return [part.partition("</Name>")[0] for part in text.split("<Name>")[1:]]

    async def blob(self, name: str) -> tuple[dict[str, str], bytes]:
        status, headers, body = await self.ask("GET", f"{CONTAINER}/{name}")
        assert status == 200, (status, body)
        return headers, body


def sas(
    rights: str = "rcw", *, begins: timedelta = timedelta(minutes=-15), lasts: timedelta = timedelta(hours=1)
) -> str:
    """A token for the container, signed as the service wants it (version 2021-12-02)."""
    now = datetime.now(UTC)
    fields = {
        "sp": rights, "st": (now + begins).strftime(_TIME), "se": (now + lasts).strftime(_TIME), "sv": "2021-12-02",
        "sr": "c",
    }  # fmt: skip
    text = "\n".join(
        [rights, fields["st"], fields["se"], f"/blob/{ACCOUNT}/{CONTAINER}", "", "", "", fields["sv"], "c", *[""] * 7]
    )
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
    return urlencode({**fields, "sig": signature})


Wrong = Callable[[web.Request, bytes], "web.Response | None"]


class Gate:
    """Passes requests on to Azurite; ``fail`` decides what else happens to one, ``stall_after`` stops answering."""

    def __init__(self, azurite: Azurite) -> None:
        self._azurite = azurite
        self.requests: list[tuple[str, str]] = []
        self.fail: Wrong = lambda *_: None
        self.cut_after: int | None = None
        self.stall_after: int | None = None
        self.pause_s = 0.0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}/{CONTAINER}"

    def count(self, what: str) -> int:
        """Requests of a kind: `block`, `blocklist` (PUT), `GET`, `HEAD`, `PUT` (a whole blob)."""
        return sum(kind == what for kind, _ in self.requests)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        kind = request.query.get("comp", request.method) if request.method == "PUT" else request.method
        if kind == "block":
            if self.cut_after is not None and self.count("block") >= self.cut_after:
                assert request.transport is not None
                request.transport.abort()
                raise ConnectionResetError
            if self.stall_after is not None and self.count("block") >= self.stall_after:
                await asyncio.sleep(3600)
        self.requests.append((kind, request.path))
        failed = self.fail(request, body)
        if failed is not None:
            return failed
        if self.pause_s:
            await asyncio.sleep(self.pause_s)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
        target = URL(f"{self._azurite.base}{request.raw_path}", encoded=True)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, target, data=body or None, headers=headers, allow_redirects=False,
                skip_auto_headers=("content-type",),
            ) as answer,
        ):  # fmt: skip
            content = await answer.read()
        kept = {n: v for n, v in answer.headers.items() if n.lower() not in {"transfer-encoding", "connection"}}
        response = web.Response(status=answer.status, headers=kept)
        if request.method != "HEAD":
            response.body = content
        return response

    @contextlib.asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[Gate]:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._pass)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
            yield self
        finally:
            await runner.cleanup()
