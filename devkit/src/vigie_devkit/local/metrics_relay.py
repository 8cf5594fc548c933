"""The service `metrics` of `compose.yaml`: `/MODULE/metrics`, `/healthz` and `/readyz` of every module on one port.

Modules are on networks without a way out, whose containers cannot publish ports. This one shares a network with each of
them and one with the host, and listens on the latter alone: no module reaches another through it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address

import aiohttp
from aiohttp import web

MODULES_VARIABLE = "VIGIE_MODULES"
PUBLISHED = "published"
"""This container's name on the network that the host reaches: its address there is the one to listen on."""
PORT = 9600
"""Of the modules inside their containers, of this one inside its own, and on this machine by default."""
PATHS = ("metrics", "healthz", "readyz")
_ANSWER_WITHIN_S = 5.0
_LARGEST = 8 << 20


def main() -> int:
    """Serve until SIGTERM. Returns: the exit code."""
    modules = os.environ.get(MODULES_VARIABLE, "").split()
    try:
        address = socket.gethostbyname(PUBLISHED)
    except OSError as error:
        sys.stderr.write(f"metrics: the name '{PUBLISHED}' has no address ({error}); run 'docker compose up' again\n")
        return 3
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    web.run_app(relay({name: f"http://{name}:{PORT}" for name in modules}), host=address, port=PORT, print=None)
    return 0


def relay(addresses: Mapping[str, str]) -> web.Application:
    """Answers for the modules at ``addresses`` (name to base URL): their own status, type and text, or 502."""
    app = web.Application()
    client = web.AppKey("client", aiohttp.ClientSession)

    async def open_client(app: web.Application) -> None:
        app[client] = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S), trust_env=False)

    async def close_client(app: web.Application) -> None:
        await app[client].close()

    async def index(request: web.Request) -> web.Response:
        _only_by_address(request)
        return web.Response(text="".join(f"/{name}/{path}\n" for name in addresses for path in PATHS))

    async def one(request: web.Request) -> web.Response:
        _only_by_address(request)
        name, path = request.match_info["module"], request.match_info["path"]
        if name not in addresses:
            raise web.HTTPNotFound(text=f"module '{name[:80]}' is unknown; known: {', '.join(addresses)}\n")
        try:
            async with request.app[client].get(f"{addresses[name]}/{path}", allow_redirects=False) as answer:
                body = await answer.content.read(_LARGEST)
                return web.Response(
                    status=answer.status, body=body, headers={"Content-Type": answer.headers.get("Content-Type", "")}
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            raise web.HTTPBadGateway(
                text=f"module '{name}' does not answer ({reason}); see: docker compose ps {name}\n"
            ) from None

    app.on_startup.append(open_client)
    app.on_cleanup.append(close_client)
    app.router.add_get("/", index)
    app.router.add_get(f"/{{module}}/{{path:{'|'.join(PATHS)}}}", one)
    return app


def _only_by_address(request: web.Request) -> None:
    """Raises: HTTPForbidden: by a name, which an attacker's DNS could point at this machine from a page of his."""
    host = request.headers.get("Host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name == "localhost":
        return
    with suppress(ValueError):
        ip_address(name.strip("[]"))
        return
    raise web.HTTPForbidden(text=f"ask for localhost or an address; '{name[:80]}' is another name\n")


if __name__ == "__main__":
    raise SystemExit(main())
