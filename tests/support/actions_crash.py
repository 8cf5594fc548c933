"""The actions module in a process that may be killed at any moment: ``actions_crash.py FOLDER URL FIRST``.

Feeds itself numbered events, as sync would, and says which the module has confirmed. Sync's own rule: what is not
confirmed is sent again, with what went before.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

from support.actions_module import Actions, events_message, zone_event
from vigie.messaging.memory import UpstreamMessage

OVERLAP = 5


def main(folder: Path, url: str, first: int) -> None:
    asyncio.run(run(folder, url, first))


async def run(folder: Path, url: str, first: int) -> None:
    actions = Actions(folder)
    await actions.start()
    await actions.configure(webhooks={"siren": {"url": url, "queue": {"retry_seconds": 1, "batch_items": 7}}})
    thread = threading.Thread(target=feed, args=(actions, first), daemon=True)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.1)


def feed(actions: Actions, first: int) -> None:
    boot = f"{time.time_ns() & 0xFFFFFFFF:08x}"
    number = max(0, first - OVERLAP)
    sent = 0
    while True:
        sent += 1
        body = events_message(sent, [zone_event(n) for n in range(number, number + 3)], boot=boot)
        number += 3
        actions.hub.store("sync", "events", UpstreamMessage("sync", "events", body, {}, None))
        while (actions.cursor.position(boot) or 0) < sent:
            time.sleep(0.001)
        print(f"confirmed {number - 1}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
