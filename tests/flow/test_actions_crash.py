"""The actions module against ``kill -9``: what it has confirmed reaches the sink, in order."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from support.actions_module import Receiver, zone_event

TESTS = Path(__file__).parents[1]
PROGRAM = TESTS / "support/actions_crash.py"
SEED = 7
# A hundred take some minutes.
KILLS = int(os.environ.get("VIGIE_KILLS", "3"))


@pytest.mark.timeout(240 + 60 * KILLS)
async def test_nothing_confirmed_is_lost_over_kills_of_the_module_and_a_receiver_that_fails(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    confirmed = -1
    async with Receiver().serve() as receiver:
        for _ in range(KILLS):
            receiver.answers = [chance.choice([204, 503, 204]) for _ in range(40)]
            confirmed = await killed_after(chance.randrange(2, 25), confirmed, tmp_path, receiver.url)
        receiver.answers = []
        # The last start delivers what is left: the newest confirmed event is the last of them.
        child = await started(tmp_path, receiver.url, confirmed)
        try:
            async with asyncio.timeout(60):
                while zone_event(confirmed).key not in {item["key"] for item in receiver.items()}:
                    await asyncio.sleep(0.05)
        finally:
            await killed(child)
    arrived = list(dict.fromkeys(item["key"] for item in receiver.items()))
    assert confirmed > 2 * KILLS
    assert arrived[: confirmed + 1] == [zone_event(n).key for n in range(confirmed + 1)]


async def started(folder: Path, url: str, confirmed: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), str(folder), url, str(confirmed + 1),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(TESTS)},
    )  # fmt: skip


async def killed_after(lines: int, confirmed: int, folder: Path, url: str) -> int:
    """The last number that the module had confirmed when it was killed."""
    child = await started(folder, url, confirmed)
    try:
        async with asyncio.timeout(60):
            for _ in range(lines):
                number = await next_number(child)
                assert number >= 0, "the module ended by itself"
                confirmed = max(confirmed, number)
    finally:
        await killed(child)
    while (number := await next_number(child)) >= 0:
        confirmed = max(confirmed, number)
    return confirmed


async def next_number(child: asyncio.subprocess.Process) -> int:
    """Between the lines of its log; -1: it has ended."""
    while line := await child.stdout.readline():
        if line.startswith(b"confirmed ") and line.endswith(b"\n"):
            return int(line.split()[1])
    return -1


async def killed(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.send_signal(signal.SIGKILL)
    await child.wait()
