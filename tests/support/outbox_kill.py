"""Kills sync and the hub and cuts the uplink at random moments under a stream of numbered events.

``outbox_kill.py FOLDER SEED KILLS`` prints JSON. What sync has acknowledged has to arrive, in order within a camera and
a priority after doubles are taken out by key.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from support.hub import HubProcess, manifest, route
from vigie.errors import VigieError
from vigie.ledger.priorities import priority
from vigie_edgehub.upstream import UpstreamReader, record_file

DEADLINE_S = 120.0
ROUTES = {
    "in": route("feeder/events", "sync/events"),
    "alerts": {
        "route": "FROM /messages/modules/sync/outputs/telemetry WHERE severity = 'alert' INTO $upstream",
        "priority": 1,
    },
    "telemetry": {"route": route("sync/telemetry", "$upstream"), "priority": 4},
    "back": route("sync/credit", "feeder/credit"),
}
# Numbers per kill: more than are sent while one lasts.
PER_KILL = 2000


class Module:
    """One process of a module, which can be killed and started."""

    def __init__(self, folder: Path, hub: HubProcess, name: str, command: list[str], **environment: str) -> None:
        self._folder, self._hub, self._name, self._command = folder, hub, name, command
        self._more = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        state = self._folder / self._name
        state.mkdir(exist_ok=True)
        shared = self._folder / "frames"
        shared.mkdir(exist_ok=True)
        environment = {
            **os.environ, **self._hub.environment(self._name), "VIGIE_STATE": str(state), "VIGIE_FRAMES": str(shared),
            "VIGIE_SECRETS": str(state), "VIGIE_HTTP": "127.0.0.1:0", "VIGIE_LOG": "json", **self._more,
        }  # fmt: skip
        with (self._folder / f"{self._name}.log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environment)

    def kill9(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def main(folder: Path, seed: int, kills: int) -> dict[str, Any]:
    chance = random.Random(seed)
    content = manifest(ROUTES, modules={"feeder": {}, "sync": {"batch_seconds": 0.2, "batch_items": 20}})
    hub = HubProcess(folder, content).start()
    acknowledged = folder / "acknowledged"
    count = PER_KILL * kills
    sync = Module(folder, hub, "sync", [sys.executable, "-m", "vigie_sync"])
    feeder_file = str(Path(__file__).with_name("outbox_feeder.py"))
    feeder = Module(folder, hub, "feeder", [sys.executable, feeder_file, str(acknowledged), str(count)])
    done: Counter[str] = Counter()
    try:
        sync.start()
        feeder.start()
        wait(lambda: numbers(acknowledged), "the first number is acknowledged")
        for _ in range(kills):
            time.sleep(chance.uniform(0.05, 1.0))
            victim = chance.choice(["sync", "hub", "uplink"])
            done[victim] += 1
            if victim == "sync":
                sync.kill9()
                sync.start()
            elif victim == "hub":
                hub.kill9()
                hub.start()
            else:
                hub.service().misbehave(upstream_online=False)
                time.sleep(chance.uniform(0.1, 2.0))
                if chance.random() < 0.5:  # and a kill while there is no uplink
                    done["sync without uplink"] += 1
                    sync.kill9()
                    sync.start()
                hub.service().misbehave(upstream_online=True)
            assert feeder.process is not None
            assert feeder.process.poll() is None, "the feeder ended: see its log"
            wait_for_more(acknowledged, feeder.process)
        feeder.kill9()
        expected = numbers(acknowledged)
        wait(lambda: expected <= set(arrived(hub)), "what was acknowledged has arrived")
        return report(arrived_items(hub), expected) | {"kills": dict(done), "seed": seed}
    finally:
        feeder.kill9()
        sync.kill9()
        hub.close()


def report(items: list[dict[str, Any]], expected: set[int]) -> dict[str, Any]:
    """Counts over what arrived, in the order in which it did."""
    seen: set[str] = set()
    newest: dict[tuple[str, int], int] = {}
    out_of_order = 0
    for item in items:
        if item["key"] in seen:
            continue
        seen.add(item["key"])
        queue = (item["camera"], int(priority(item["type"], item.get("severity", "event"))))
        number = int(item["trace"])
        out_of_order += number < newest.get(queue, -1)
        newest[queue] = number
    return {
        "acknowledged": len(expected), "missing": len(expected - {int(one["trace"]) for one in items}),
        "arrived": len(items), "doubles": len(items) - len(seen), "out_of_order": out_of_order,
    }  # fmt: skip


def numbers(file: Path) -> set[int]:
    if not file.exists():
        return set()
    lines = file.read_text(encoding="ascii").splitlines(keepends=True)
    return {int(line) for line in lines if line.endswith("\n")}


def arrived_items(hub: HubProcess) -> list[dict[str, Any]]:
    with UpstreamReader(record_file(hub.state)) as reader:
        return [item for record in reader.read() for item in json.loads(record.body_bytes())["items"]]


def arrived(hub: HubProcess) -> list[int]:
    with contextlib.suppress(OSError, VigieError):
        return [int(item["trace"]) for item in arrived_items(hub)]
    return []


def wait_for_more(acknowledged: Path, feeder: subprocess.Popen[bytes]) -> None:
    before = len(numbers(acknowledged))
    wait(lambda: len(numbers(acknowledged)) > before or feeder.poll() is not None, "flow is back")


def wait(condition: Any, what: str) -> None:
    until = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until, f"not within {DEADLINE_S:g} s: {what}"
        time.sleep(0.1)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
