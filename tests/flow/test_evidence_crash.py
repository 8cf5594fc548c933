"""The evidence module against ``kill -9``: every chosen file arrives whole, once, and the cloud is told where."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from support.azurite import Azurite, Gate, sas
from support.evidence_module import Evidence, chosen

TESTS = Path(__file__).parents[1]
PROGRAM = TESTS / "support/evidence_crash.py"
SEED = 11
# A hundred take some minutes.
KILLS = int(os.environ.get("VIGIE_KILLS", "3"))
BLOCK = 65_536


@pytest.mark.timeout(300 + 60 * KILLS)
async def test_uploads_go_on_after_kills_and_everything_chosen_arrives_whole_and_is_told(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    contents: dict[str, bytes] = {}
    with Azurite(tmp_path / "azurite").running() as azurite:
        await azurite.make_container()
        device = Evidence(tmp_path / "device")
        device.secret("BLOB", sas())
        told: set[str] = set()
        async with Gate(azurite).serve() as gate:
            for number in range(KILLS):
                for kind in ("clip", "snapshot"):
                    name = f"gate-{number}-{kind}"
                    size = 12 * BLOCK if kind == "clip" else 20_000
                    contents[name] = chosen(device.inbox, name, kind=kind, size=size)
                # Killed while a request is under way: the account has it, the module does not know.
                await killed_at(gate, gate_after=len(gate.requests) + chance.randrange(3, 18), folder=device.folder,
                                told=told)  # fmt: skip
            child = await started(device.folder, gate.url)
            try:
                async with asyncio.timeout(120):
                    while len({line.split()[1] for line in told}) < len(contents):
                        told.add(await line_of(child))
            finally:
                await killed(child)
        stored = {name: (await azurite.blob(name))[1] for name in await azurite.blobs()}
    by_name = {path.rpartition("/")[2].rpartition(".")[0]: content for path, content in stored.items()}
    assert by_name == contents
    sent_blocks = gate.count("block")
    # Each kill costs the one block that was under way, at most; nothing that arrived is sent again.
    assert 12 * KILLS <= sent_blocks <= 13 * KILLS + 2, sent_blocks
    assert len({line.split()[1] for line in told}) == len(contents)


async def started(folder: Path, url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), str(folder), url,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(TESTS)},
    )  # fmt: skip


async def killed_at(gate: Gate, *, gate_after: int, folder: Path, told: set[str]) -> None:
    child = await started(folder, gate.url)
    try:
        async with asyncio.timeout(90):
            while len(gate.requests) < gate_after and child.returncode is None:
                try:
                    told.add(await asyncio.wait_for(line_of(child), 0.02))
                except TimeoutError:
                    if len(told_names(told)) and idle(folder):
                        break
    finally:
        await killed(child)


def told_names(told: set[str]) -> set[str]:
    return {line.split()[1] for line in told}


def idle(folder: Path) -> bool:
    """Everything that was chosen is taken and gone from the spool."""
    chosen_now = {path.stem for path in (folder / "chosen").glob("*.json")}
    taken = folder / "state/evidence/taken.json"
    done = taken.exists() and all(f'"{name}"' in taken.read_text() for name in chosen_now)
    return done and not any((folder / "state/evidence/spool").iterdir())


async def line_of(child: asyncio.subprocess.Process) -> str:
    while True:
        line = await child.stdout.readline()
        assert line, "the module ended by itself"
        if line.startswith(b"told ") and line.endswith(b"\n"):
            return line.decode().strip()


async def killed(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.send_signal(signal.SIGKILL)
    await child.wait()
