"""The sync module, as a table of contents."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from vigie.contracts import names
from vigie.ledger.ledger_thread import LedgerThread
from vigie.service import ModuleEnvironment, open_service, run_module
from vigie_sync.config import SyncConfig
from vigie_sync.wiring import run_sync

# The kernel's shared memory; the folder in it is private, of mode 0700.
MEMORY = Path("/dev/shm")  # noqa: S108


async def main(env: ModuleEnvironment) -> None:
    with LedgerThread(env.state, name="sync.ledger", memory=MEMORY, seals=env.seals) as ledger, ExitStack() as after:
        async with open_service(env, SyncConfig) as service:
            await run_sync(service, ledger, after)


if __name__ == "__main__":
    raise SystemExit(run_module(names.SYNC, main))
