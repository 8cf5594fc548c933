"""Feeds sync with numbered events over a real hub, as a module on its device: ``outbox_feeder.py ACKNOWLEDGED COUNT``.

A number is acknowledged when sync's cursor has passed it: then it is on sync's disk. Each is appended to the file
ACKNOWLEDGED; what is not confirmed in time is sent again, as real senders do. Ends by itself after COUNT numbers.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

import msgspec

from vigie.config import ModuleEnvironment
from vigie.contracts.envelope import EVENTS, Envelope
from vigie.contracts.events import Aggregate, Occurrence, ZoneEvent
from vigie.errors import PermanentError, TransientError
from vigie.messaging.progress import open_progress
from vigie.service import open_service

_TOGETHER = 5
_AGAIN_S = 3.0
_PAUSE_S = 0.02
_PACE_S = 0.1


class _Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


def numbered(n: int) -> Occurrence:
    """Of two cameras; every seventh an alert, every fifth counts, the rest events."""
    camera = f"cam{n % 2}"
    common = {
        "key": f"event/t/{n}/end/{camera}-{n}", "id": f"n{n}", "phase": "end", "camera": camera, "trace": str(n),
        "at": "2026-11-28T10:00:00.000000Z", "started_at": "2026-11-28T10:00:00.000000Z", "seconds": 1.0,
    }  # fmt: skip
    if n % 7 != 0 and n % 5 == 0:
        return Aggregate(**common, frames=1, detections=n)
    severity = "alert" if n % 7 == 0 else "event"
    return ZoneEvent(**common, severity=severity, zone="gate", track=f"t{n}", label="person", inside=0)


async def main(acknowledged: Path, count: int) -> None:
    env = ModuleEnvironment.from_environ("feeder", os.environ)
    finished = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with open_service(env, _Config) as service:
        output = service.output("events", None)
        progress = open_progress((env.signals,), env.module_id, ("sync", "events"))

        def feed(stop: threading.Event) -> None:
            with acknowledged.open("a", encoding="ascii") as told:
                for sent, first in enumerate(range(0, count, _TOGETHER), start=1):
                    numbers = range(first, min(count, first + _TOGETHER))
                    body = msgspec.json.encode(
                        Envelope(str(EVENTS), env.module_id, env.boot, sent, [numbered(n) for n in numbers])
                    )
                    while not stop.is_set() and not passed(sent):
                        try:
                            output.send(body, {"credit": "1"}, f"{env.boot}-{sent}")
                        except (TransientError, PermanentError):
                            stop.wait(0.2)
                            continue
                        until = time.monotonic() + _AGAIN_S
                        while not stop.is_set() and not passed(sent) and time.monotonic() < until:
                            stop.wait(_PAUSE_S)
                    if stop.is_set():
                        return
                    told.writelines(f"{n}\n" for n in numbers)
                    told.flush()
                    stop.wait(_PACE_S)
            loop.call_soon_threadsafe(finished.set)

        def passed(sent: int) -> bool:
            return (progress.position(env.boot) or 0) >= sent

        service.thread("feeder", feed)
        await service.start()
        await finished.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
