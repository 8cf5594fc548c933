"""The evidence module, as a table of contents."""

from __future__ import annotations

import os
from pathlib import Path

from vigie.contracts import names
from vigie.secrets import SecretStore
from vigie.service import ModuleEnvironment, open_service, run_module
from vigie_evidence.config import EvidenceConfig
from vigie_evidence.folder_target import FOLDER_VARIABLE
from vigie_evidence.wiring import run_evidence

INBOX_VARIABLE = "VIGIE_EVIDENCE"
_INBOX = "/evidence"


async def main(env: ModuleEnvironment) -> None:
    inbox, folder = Path(os.environ.get(INBOX_VARIABLE, _INBOX)), os.environ.get(FOLDER_VARIABLE)
    secrets = SecretStore(env.secrets, os.environ)
    async with open_service(env, EvidenceConfig) as service:
        await run_evidence(service, inbox, secrets, Path(folder) if folder else None)


if __name__ == "__main__":
    raise SystemExit(run_module(names.EVIDENCE, main))
