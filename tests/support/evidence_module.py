"""The evidence module on a hub in memory, with a camera module's folder of chosen files and a sync that confirms."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import msgspec

from support.modules import environment, until
from vigie.chosen_files import about_chosen, about_chosen_facts
from vigie.contracts import names
from vigie.contracts.evidence import About, EvidenceFacts
from vigie.frames.cursor import CursorWriter
from vigie.messaging.memory import UPSTREAM, MemoryHub
from vigie.sealed_files import sealed_chunks, whole_records
from vigie.sealing import Seals
from vigie.secrets import SecretStore
from vigie.service import open_service
from vigie_evidence.config import EvidenceConfig
from vigie_evidence.wiring import run_evidence

ROUTES = {(names.EVIDENCE, names.EVENTS): UPSTREAM}
AT = "2026-11-28T10:42:00.000Z"


IN_THE_CLEAR = Seals()


def chosen(
    folder: Path,
    name: str,
    *,
    size: int = 30_000,
    severity: str = "event",
    seals: Seals = IN_THE_CLEAR,
    **changed: object,
) -> bytes:
    """A file that the camera module chose, with its facts. Returns: its content."""
    clip = changed.get("kind") == "clip"
    content = random.Random(name).randbytes(size)
    about = About(key=f"event/zone/{name}/new/gate-1-7", id=f"stay-{name}", type="zone", phase="new",
                  severity=severity, label="person", zone="dock")  # fmt: skip
    facts = EvidenceFacts(**{
        "name": name, "kind": "snapshot", "file": f"{name}.{'mp4' if clip else 'jpg'}", "bytes": size,
        "sha256": hashlib.sha256(content).hexdigest(), "camera": "gate", "at": AT, "frame_hw": (360, 640),
        "trace": "gate-1-7", "about": about, **changed,
    })  # fmt: skip
    folder.mkdir(exist_ok=True, parents=True)
    stored = sealed_chunks(whole_records([content]), about_chosen(facts.file), seals)
    (folder / facts.file).write_bytes(b"".join(stored))
    (folder / f"{name}.json").write_bytes(seals.close(msgspec.json.encode(facts), about_chosen_facts(name)))
    return content


class Evidence:
    """The running module. ``confirm``: play sync, which confirms what it gets."""

    def __init__(self, folder: Path, seals: Seals = IN_THE_CLEAR) -> None:
        self.folder, self.seals = folder, seals
        self.inbox = folder / "chosen"
        self.hub = MemoryHub(ROUTES)
        self.service = None
        self.confirms = True
        # Called with each event before it is confirmed: as sync's commit to its disk.
        self.heard: Callable[[dict], None] = lambda _: None
        self._task: asyncio.Task[None] | None = None
        self._sync: asyncio.Task[None] | None = None
        (folder / "secrets").mkdir(exist_ok=True, parents=True)

    def secret(self, name: str, value: str, host: str = "127.0.0.1") -> None:
        (self.folder / "secrets" / name).write_text(value)
        (self.folder / "secrets" / f"{name}.host").write_text(host)

    async def start(self) -> None:
        env = dataclasses.replace(environment(names.EVIDENCE, self.folder), seals=self.seals)

        async def main() -> None:
            async with open_service(env, EvidenceConfig, make_link=self.hub.link(names.EVIDENCE)) as service:
                self.service = service
                await run_evidence(service, self.inbox, SecretStore(env.secrets), self.folder / "out")

        self._task = asyncio.create_task(main())
        await self.until(lambda: self.service is not None and self.service.hub.connected)
        self._sync = asyncio.create_task(self._play_sync(env.signals))

    async def stop(self) -> None:
        for task in (self._sync, self._task):
            task.cancel()
            await asyncio.wait([task])
        self.service = None

    async def _play_sync(self, signals: Path) -> None:
        cursor = CursorWriter.open(signals, sender=names.EVIDENCE, output=names.EVENTS, consumer=names.SYNC)
        done = 0
        try:
            while True:
                if self.confirms:
                    for message in self.hub.upstream[done:]:
                        body = json.loads(message.body)
                        for event in body["items"]:
                            self.heard(event)
                        cursor.advance(body["boot"], body["sent"])
                        done += 1
                await asyncio.sleep(0.02)
        finally:
            cursor.close()

    async def until(self, condition: Callable[[], object], *, what: str = "", timeout_s: float = 60.0) -> None:
        await until(lambda: condition() or self._ended(), timeout_s=timeout_s, what=what)

    def _ended(self) -> bool:
        if self._task.done():
            self._task.result()
        return False

    async def configure(self, **wanted: object) -> None:
        version = self.hub.set_desired(names.EVIDENCE, wanted)
        await self.until(lambda: self.service.twin.version == version)

    async def backlog(self) -> dict:
        status, reply = await self.method("get_backlog")
        assert status == 200, reply
        return reply

    async def until_empty(self) -> None:
        async with asyncio.timeout(60):
            while True:
                # In this order: what is taken is in the spool by then.
                taken = len(list(self.inbox.glob("*.json"))) == len(self.taken())
                reply = await self.backlog()
                waits = reply["untold"] or any(one["waiting"] for one in reply["targets"].values())
                if taken and not waits:
                    return
                await asyncio.sleep(0.05)

    def taken(self) -> list[str]:
        path = self.folder / "state/evidence/taken.json"
        return json.loads(path.read_bytes()) if path.exists() else []

    async def until_state(self, target: str, state: str, reason: str) -> dict:
        async with asyncio.timeout(60):
            while True:
                one = (await self.backlog())["targets"][target]
                if one["state"] == state and reason in one["reason"]:
                    return one
                await asyncio.sleep(0.05)

    def events(self) -> list[dict]:
        return [item for message in self.hub.upstream for item in json.loads(message.body)["items"]]

    async def method(self, name: str, payload: object = None) -> tuple[int, dict]:
        return await asyncio.to_thread(self.hub.invoke, names.EVIDENCE, name, payload, 60.0)

    def metric(self, name: str) -> float:
        return self.service.metrics.values().get(name, 0.0)


def target(url: str, **changed: object) -> dict[str, object]:
    """A container in the twin that is tried again quickly."""
    sending = {"retry_seconds": 1, "timeout_seconds": 10, "block_bytes": 65_536, **changed.pop("sending", {})}
    return {"url": url, "tls": url.startswith("https"), "sas": "BLOB", "sending": sending, **changed}
