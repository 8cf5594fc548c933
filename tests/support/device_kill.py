"""Kills the modules of a device and the hub, and cuts uplink and storage account, under a stream of numbered events.

``device_kill.py FOLDER SEED KILLS [SECONDS]`` prints JSON; after SECONDS no more is killed. Real hub, sync, actions and
evidence, each a process; a receiver of webhooks that fails at times; Azurite. What sync has acknowledged has to arrive
upstream and at the webhook, in order within a camera and a priority after doubles are taken out by key; each file that
was chosen has to lie in the account, byte for byte, and upstream has to know where.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from support.actions_module import Receiver
from support.azurite import Azurite, Gate, sas
from support.evidence_module import chosen, target
from support.hub import HubProcess, manifest, route
from support.outbox_kill import PER_KILL, ROUTES, Module, arrived_items, numbers, report, wait_for_more
from vigie.errors import VigieError

# A busy machine starts four interpreters at once.
DEADLINE_S = 300.0
MORE_ROUTES = {
    "actions": route("sync/events", "actions/events"),
    "told": route("evidence/events", "sync/events"),
}
VICTIMS = ("sync", "hub", "actions", "evidence", "uplink", "account")
BLOCK = 65_536


class Background:
    """An event loop in a thread, for the receiver of webhooks and questions to Azurite."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE_S)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Account:
    """Azurite behind a gate, which is cut. Killed itself, Azurite forgets what it confirmed: it saves every 5 s."""

    def __init__(self, azurite: Azurite, background: Background) -> None:
        self.azurite, self._background = azurite, background
        self._gate = Gate(azurite)
        background.run(azurite.make_container())
        self.open()

    @property
    def url(self) -> str:
        return self._gate.url

    def open(self) -> None:
        self._serving = self._gate.serve(self._gate.port)
        self._background.run(self._serving.__aenter__())

    def close(self) -> None:
        self._background.run(self._serving.__aexit__(None, None, None))


class Device:
    """Everything that runs, and what it was given."""

    def __init__(self, folder: Path, account: Account, webhook: str, kills: int) -> None:
        self.folder, self.account = folder, account
        self.acknowledged = folder / "acknowledged"
        self.contents: dict[str, bytes] = {}
        self.hub = HubProcess(folder, manifest({**ROUTES, **MORE_ROUTES}, modules={
            "feeder": {},
            "sync": {"batch_seconds": 0.2, "batch_items": 20},
            "actions": {"webhooks": {"siren": {"url": webhook, "queue": {"retry_seconds": 1, "batch_items": 20}}}},
            "evidence": {"azure": {"site": target(account.url)}},
        })).start()  # fmt: skip
        python, feeder = sys.executable, str(Path(__file__).with_name("outbox_feeder.py"))
        self.modules = {
            "sync": Module(folder, self.hub, "sync", [python, "-m", "vigie_sync"], VIGIE_EVENT_RECEIVERS="actions"),
            "actions": Module(folder, self.hub, "actions", [python, "-m", "vigie_actions"],
                              VIGIE_ACTION_HOSTS="127.0.0.0/8"),
            "evidence": Module(folder, self.hub, "evidence", [python, "-m", "vigie_evidence"],
                               VIGIE_EVIDENCE=str(folder / "chosen")),
            "feeder": Module(folder, self.hub, "feeder",
                             [python, feeder, str(self.acknowledged), str(PER_KILL * kills)]),
        }  # fmt: skip
        secrets = folder / "evidence"
        secrets.mkdir()
        (secrets / "BLOB").write_text(sas())
        (secrets / "BLOB.host").write_text("127.0.0.1")

    @property
    def feeder(self) -> Any:
        process = self.modules["feeder"].process
        assert process is not None
        return process

    def choose(self, number: int) -> None:
        """The camera module keeps a picture and a clip."""
        for kind, size in (("snapshot", 20_000), ("clip", 3 * BLOCK + number)):
            name = f"gate-{number}-{kind}"
            self.contents[name] = chosen(self.folder / "chosen", name, kind=kind, size=size)

    def hurt(self, victim: str, chance: random.Random) -> None:
        if victim == "hub":
            self.hub.kill9()
            self.hub.start()
        elif victim == "uplink":
            self.hub.service().misbehave(upstream_online=False)
            time.sleep(chance.uniform(0.1, 2.0))
            self.hub.service().misbehave(upstream_online=True)
        elif victim == "account":
            self.account.close()
            time.sleep(chance.uniform(0.1, 1.0))
            self.account.open()
        else:
            self.modules[victim].kill9()
            self.modules[victim].start()

    def upstream(self) -> list[dict[str, Any]]:
        try:
            return arrived_items(self.hub)
        except (OSError, VigieError):
            return []

    def close(self) -> None:
        for module in self.modules.values():
            module.kill9()
        self.hub.close()


def main(folder: Path, seed: int, kills: int, seconds: float) -> dict[str, Any]:
    chance, background, receiver = random.Random(seed), Background(), Receiver()
    serving = receiver.serve()
    background.run(serving.__aenter__())
    try:
        with Azurite(folder / "azurite").running() as azurite:
            account = Account(azurite, background)
            device = Device(folder, account, receiver.url, kills)
            try:
                done = stream(device, receiver, chance, kills, time.monotonic() + seconds)
                return settled(device, receiver, background) | {"kills": done, "seed": seed}
            finally:
                device.close()
                account.close()
    finally:
        background.run(serving.__aexit__(None, None, None))
        background.close()


def stream(device: Device, receiver: Receiver, chance: random.Random, kills: int, until_s: float) -> dict[str, int]:
    """Kill and cut while numbers flow. Returns: how often what."""
    done: Counter[str] = Counter()
    for module in device.modules.values():
        module.start()
    wait(lambda: numbers(device.acknowledged), "the first number is acknowledged")
    for number in range(kills):
        if time.monotonic() > until_s:
            break
        device.choose(number)
        receiver.answers = [chance.choice([204, 503]) for _ in range(chance.randrange(4))]
        time.sleep(chance.uniform(0.05, 1.0))
        victim = chance.choice(VICTIMS)
        done[victim] += 1
        device.hurt(victim, chance)
        assert device.feeder.poll() is None, "the feeder ended: see its log"
        wait_for_more(device.acknowledged, device.feeder)
    device.modules["feeder"].kill9()
    receiver.answers = []
    return dict(done)


def settled(device: Device, receiver: Receiver, background: Background) -> dict[str, Any]:
    """Wait for what has to arrive, and count."""
    expected = numbers(device.acknowledged)
    keys = {f"event/t/{n}/end/cam{n % 2}-{n}" for n in expected}
    names = set(device.contents)

    def told() -> set[str]:
        return {
            one["url"].rpartition("/")[2].rpartition(".")[0] for one in device.upstream() if one["type"] == "evidence"
        }

    wait(lambda: keys <= {one["key"] for one in device.upstream()}, "what was acknowledged is upstream")
    wait(lambda: keys <= {one["key"] for one in receiver.items()}, "what was acknowledged is at the webhook")
    wait(lambda: names <= told(), "upstream knows where each file lies")
    stored = {
        path.rpartition("/")[2].rpartition(".")[0]: background.run(device.account.azurite.blob(path))[1]
        for path in background.run(device.account.azurite.blobs())
    }
    items = device.upstream()
    return {
        "upstream": report([one for one in items if one["type"] != "evidence"], expected),
        "webhook": report([one for one in receiver.items() if one["type"] != "evidence"], expected),
        "files": {
            "chosen": len(names), "missing": len(names - stored.keys()),
            "differ": sum(stored[name] != content for name, content in device.contents.items() if name in stored),
            "told": len(names & told()), "told_twice": sum(one["type"] == "evidence" for one in items)
            - len({one["key"] for one in items if one["type"] == "evidence"}),
        },
    }  # fmt: skip


def wait(condition: Any, what: str) -> None:
    until = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until, f"not within {DEADLINE_S:g} s: {what}"
        time.sleep(0.2)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float((sys.argv[4:] or ["inf"])[0]))))
