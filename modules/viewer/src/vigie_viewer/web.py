"""The page's server: its files, signing in, the live connection, and twin patches where a local hub allows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from vigie.contracts.dropped import DROPPED_BYTES_MAX
from vigie.errors import EndpointError
from vigie.log import get_logger
from vigie_viewer.answers import json_answer, refusal
from vigie_viewer.applying import TwinEditor
from vigie_viewer.assets import Asset, read_assets
from vigie_viewer.audience import Audience
from vigie_viewer.dropped_files import DroppedFiles
from vigie_viewer.edits import Edits
from vigie_viewer.guard import SECURITY_HEADERS, Guard
from vigie_viewer.live import PageConnection, serve_page
from vigie_viewer.occurrences import Occurrences
from vigie_viewer.overview import Overview
from vigie_viewer.page_sessions import COOKIE, PageSessions
from vigie_viewer.settings import PageSettings

log = get_logger("viewer.web")

_BODY_MAX = 64 * 1024


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: Annotated[str, Meta(max_length=512)]


class Site:
    """All handlers. Lives on the event loop."""

    def __init__(
        self,
        settings: PageSettings,
        sessions: PageSessions,
        audience: Audience,
        *,
        overview: Overview,
        occurrences: Occurrences,
        opened: Callable[[], None],
    ) -> None:
        """``opened`` is called when a page has been opened."""
        self._settings, self._sessions, self._audience, self._overview = settings, sessions, audience, overview
        self._occurrences, self._opened = occurrences, opened
        self._guard = Guard(settings, sessions)
        editor = TwinEditor(settings.hub_service) if settings.hub_service else None
        self._edits = Edits(editor, self._guard, overview.note, opened)
        self._drops = DroppedFiles(settings.model_desk, self._guard)
        self._assets = read_assets()
        self._connections: dict[PageConnection, str | None] = {}
        self.viewers_max = 16

    def tell(self, text: str) -> None:
        """Send JSON text to every open page."""
        for connection in self._connections:
            connection.tell(text)

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard.middleware], client_max_size=_BODY_MAX)
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/assets/{name:.+}", self._asset),
                web.get("/api/me", self._me),
                web.post("/api/session", self._sign_in),
                web.delete("/api/session", self._sign_out),
                web.get("/live", self._live),
                web.get("/api/pictures/{number}", self._picture),
                *self._edits.routes(),
                *self._drops.routes(),
            ]
        )
        return app

    async def _index(self, request: web.Request) -> web.Response:
        return _served(request, self._assets["index.html"])

    async def _asset(self, request: web.Request) -> web.Response:
        asset = self._assets.get(request.match_info["name"])
        return web.Response(status=404, text="no such file\n") if asset is None else _served(request, asset)

    async def _me(self, request: web.Request) -> web.Response:
        """Whether this browser may look, and what the page may do: nothing that needs a session."""
        allowed = self._guard.allowed(request)
        body = {"signed_in": allowed, "token_needed": self._sessions.needed}
        return json_answer(body | (self._may() if allowed else {}))

    def _may(self) -> dict[str, Any]:
        return {"edits": self._edits.possible, "drops": self._drops.possible, "drop_bytes_max": DROPPED_BYTES_MAX}

    async def _sign_in(self, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read(), type=SignIn)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return refusal(400, str(error))
        session = self._sessions.open(asked.token)
        if session is None:
            log.warning("sign_in_refused", peer=request.remote)
            return refusal(403, "wrong_token")
        response = json_answer({"signed_in": True})
        response.set_cookie(
            COOKIE, session, httponly=True, samesite="Strict", secure=self._settings.tls is not None, path="/"
        )
        return response

    async def _sign_out(self, request: web.Request) -> web.Response:
        session = request.cookies.get(COOKIE)
        self._sessions.close(session)
        for connection, owner in list(self._connections.items()):
            if owner is not None and owner == session:
                connection.close("signed out")
        response = json_answer({"signed_in": False})
        response.del_cookie(COOKIE, path="/")
        return response

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if not self._guard.allowed(request):
            return refusal(401, "sign_in")
        if len(self._connections) >= self.viewers_max:
            return refusal(503, "too_many")
        session = request.cookies.get(COOKIE) if self._sessions.needed else None

        def greet(connection: PageConnection) -> Callable[[], None]:
            self._connections[connection] = session
            connection.everything = lambda: (*self._overview.greeting(), self._occurrences.greeting())
            for text in connection.everything():
                connection.greet(text)
            self._opened()
            return lambda: self._forget(connection)

        return await serve_page(request, self._audience, greet)

    async def _picture(self, request: web.Request) -> web.Response:
        """The picture that an event names."""
        if not self._guard.allowed(request):
            return refusal(401, "sign_in")
        jpeg = self._occurrences.picture(request.match_info["number"])
        if jpeg is None:
            return refusal(404, "this picture is not kept any longer")
        return web.Response(body=jpeg, content_type="image/jpeg", headers={"Cache-Control": "no-store"})

    def _forget(self, connection: PageConnection) -> None:
        self._connections.pop(connection, None)

    def close_ended(self) -> None:
        """Close the pages of sessions that have ended; an open page keeps its session."""
        for connection, session in list(self._connections.items()):
            if not self._sessions.valid(session):
                connection.close("session ended")


@asynccontextmanager
async def serve_site(site: Site, settings: PageSettings) -> AsyncIterator[str]:
    """Serve until left; yields the address of the page.

    Raises: EndpointError: the address cannot be bound.
    """
    runner = web.AppRunner(site.application(), access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port, ssl_context=settings.tls).start()
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise EndpointError(where, error.strerror or str(error), "VIGIE_PAGE") from error
        scheme = "http" if settings.tls is None else "https"
        yield f"{scheme}://{settings.host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _served(request: web.Request, asset: Asset) -> web.Response:
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("If-None-Match") == asset.etag:
        return web.Response(status=304, headers=headers)
    zipped = "gzip" in request.headers.get("Accept-Encoding", "")
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return web.Response(
        body=asset.compressed if zipped else asset.plain, headers={**headers, "Content-Type": asset.content_type}
    )


__all__ = ["SECURITY_HEADERS", "Site", "serve_site"]
