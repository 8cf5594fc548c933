"""What every request has to pass: the right host, the right origin, the right person; and what every answer carries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from aiohttp import web

from vigie_viewer.local_peer import is_own
from vigie_viewer.page_sessions import COOKIE, PageSessions
from vigie_viewer.settings import PageSettings, is_loopback

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Guard:
    """One for the whole application; ``middleware`` is its entry."""

    def __init__(self, settings: PageSettings, sessions: PageSessions) -> None:
        self._settings, self._sessions = settings, sessions
        self._local_only = settings.token is None
        self._own: WeakKeyDictionary[asyncio.Transport, bool] = WeakKeyDictionary()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = self._refusal(request)
        try:
            response = await handler(request) if refusal is None else web.Response(status=403, text=f"{refusal}\n")
        except web.HTTPException as error:  # no such page, too large: aiohttp raises its answers
            error.headers.update(SECURITY_HEADERS)
            raise
        if not response.prepared:
            response.headers.update(SECURITY_HEADERS)
        return response

    def allowed(self, request: web.Request) -> bool:
        """Whether this request may see pictures and state."""
        return self._sessions.valid(request.cookies.get(COOKIE))

    def _refusal(self, request: web.Request) -> str | None:
        host = request.headers.get("Host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        # A name that an attacker's DNS points at this machine would make his page the same origin.
        if self._local_only and name not in _LOCAL_NAMES and not is_loopback(name.strip("[]")):
            return f"this page is served to this machine only, as localhost; {name[:80]!r} is another name"
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != host:
            return "a page of another origin may not ask here"
        if self._local_only and not self._is_own(request):
            return "this page is for the user who started it; set a token (docs/viewer.md) to share it"
        return None

    def _is_own(self, request: web.Request) -> bool:
        """Asked of the kernel once per connection: whose it is never changes, and its table of sockets is long."""
        transport = request.transport
        if transport is None:
            return False
        if transport not in self._own:
            peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
            self._own[transport] = bool(peer and own) and is_own((peer[0], peer[1]), (own[0], own[1]))
        return self._own[transport]
