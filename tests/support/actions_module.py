"""The actions module on a hub in memory, with what it talks to: a receiver of webhooks that can fail and stall."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import msgspec
from aiohttp import web

from support.modules import environment, until
from vigie.contracts import names
from vigie.contracts.events import ZoneEvent
from vigie.frames.cursor import CursorReader
from vigie.messaging.memory import MemoryHub, UpstreamMessage
from vigie.secrets import SecretStore
from vigie.service import open_service
from vigie_actions.config import ActionsConfig
from vigie_actions.policy import read_policy
from vigie_actions.wiring import run_actions

BOOT = "0badc0de"
KEY = base64.b64encode(bytes(range(32))).decode()
SECRET = f"whsec_{KEY}"
ROUTES = {(names.SYNC, names.EVENTS): (names.ACTIONS, names.EVENTS)}


def zone_event(number: int, *, at: str = "2026-11-28T10:42:00.000Z", **facts: object) -> ZoneEvent:
    """Event ``number``: something entered zone `dock` of camera `gate`."""
    wanted = {
        "key": f"event/zone/{number}/new/gate-1-{number}", "id": f"visit-{number}", "phase": "new", "camera": "gate",
        "trace": f"gate-1-{number}", "at": at, "started_at": at, "seconds": 0.0, "zone": "dock",
        "track": f"t{number}", "label": "person", "inside": 1,
    }  # fmt: skip
    return ZoneEvent(**{**wanted, **facts})


def events_message(sent: int, events: Iterable[object], *, boot: str = BOOT) -> bytes:
    """As sync's ledger makes it."""
    return msgspec.json.encode(
        {"schema": "vigie.events/1", "module": names.SYNC, "boot": boot, "sent": sent, "items": list(events)}
    )


class Receiver:
    """Takes POSTs on its own port. ``answers``: statuses to come, then 204; None stalls until the caller leaves."""

    def __init__(self) -> None:
        self.answers: list[int | None] = []
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def items(self) -> list[dict]:
        """Events of what was answered by 2xx, in order."""
        return [item for _, body in self.taken for item in json.loads(body)["items"]]

    async def _take(self, request: web.Request) -> web.Response:
        came = ({name.lower(): value for name, value in request.headers.items()}, await request.read())
        self.requests.append(came)
        status = self.answers.pop(0) if self.answers else 204
        if status is None:
            await asyncio.sleep(3600)
        if 200 <= status < 300:
            self.taken.append(came)
        return web.Response(status=status, headers=self.headers, text="" if status == 204 else "said the receiver")

    @contextlib.asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[Receiver]:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
            yield self
        finally:
            await runner.cleanup()


class Actions:
    """The running module; ``feed`` plays sync."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = MemoryHub(ROUTES)
        self.service = None
        self.cursor = CursorReader.open(
            folder / "frames", sender=names.SYNC, output=names.EVENTS, consumer=names.ACTIONS
        )
        self._task: asyncio.Task[None] | None = None
        self._sent = 0
        (folder / "secrets").mkdir(exist_ok=True)
        self.secret("HOOK", SECRET, "127.0.0.1")

    def secret(self, name: str, value: str, host: str) -> None:
        (self.folder / "secrets" / name).write_text(value)
        (self.folder / "secrets" / f"{name}.host").write_text(host)

    async def start(self, hosts: str = "127.0.0.0/8") -> None:
        env = environment(names.ACTIONS, self.folder)
        policy, secrets = read_policy({"VIGIE_ACTION_HOSTS": hosts}), SecretStore(env.secrets)

        async def main() -> None:
            async with open_service(env, ActionsConfig, make_link=self.hub.link(names.ACTIONS)) as service:
                self.service = service
                await run_actions(service, policy, secrets)

        self._task = asyncio.create_task(main())
        await self.until(lambda: self.service is not None and self.service.hub.connected)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self.service = None

    async def until(self, condition: Callable[[], object], *, what: str = "") -> None:
        await until(lambda: condition() or self._ended(), timeout_s=30.0, what=what)

    def _ended(self) -> bool:
        if self._task.done():
            self._task.result()
        return False

    async def configure(self, **wanted: object) -> None:
        version = self.hub.set_desired(names.ACTIONS, wanted)
        await self.until(lambda: self.service.twin.version == version)

    def feed(self, events: Iterable[object], *, sent: int | None = None) -> int:
        self._sent = self._sent + 1 if sent is None else sent
        body = events_message(self._sent, events)
        self.hub.store(names.SYNC, names.EVENTS, UpstreamMessage(names.SYNC, names.EVENTS, body, {}, None))
        return self._sent

    async def until_confirmed(self, sent: int) -> None:
        await self.until(lambda: (self.cursor.position(BOOT) or 0) >= sent, what=f"message {sent} confirmed")

    async def method(self, name: str, payload: object = None) -> tuple[int, dict]:
        return await asyncio.to_thread(self.hub.invoke, names.ACTIONS, name, payload, 30.0)

    def metric(self, name: str) -> float:
        return self.service.metrics.values().get(name, 0.0)


def hook(receiver: Receiver, **facts: object) -> dict[str, object]:
    """A webhook in the twin that is tried again quickly."""
    queue = {"retry_seconds": 1, "timeout_seconds": 1, **facts.pop("queue", {})}
    return {"url": receiver.url, "queue": queue, **facts}
