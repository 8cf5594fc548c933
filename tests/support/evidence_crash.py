"""The evidence module in a process that may be killed at any moment: ``evidence_crash.py FOLDER URL``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from support.evidence_module import Evidence, target


async def run(folder: Path, url: str) -> None:
    evidence = Evidence(folder)
    evidence.heard = lambda event: print("told", event["key"], flush=True)
    await evidence.start()
    await evidence.configure(azure={"site": target(url)})
    while True:
        await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
