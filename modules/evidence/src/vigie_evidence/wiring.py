"""Which outputs, threads and methods the module has, and what connects them."""

from __future__ import annotations

from pathlib import Path

from vigie.demand import offer_demands
from vigie.secrets import SecretStore
from vigie.service import Service
from vigie_evidence.accounts import Accounts
from vigie_evidence.config import EvidenceConfig
from vigie_evidence.inbox import Inbox
from vigie_evidence.intake import SpoolIntake
from vigie_evidence.methods import offer_methods
from vigie_evidence.spool import Spool
from vigie_evidence.target import Surroundings
from vigie_evidence.telling import Telling
from vigie_evidence.upload_metrics import UploadMetrics
from vigie_evidence.workers import Workers


async def run_evidence(
    service: Service[EvidenceConfig], inbox: Path, secrets: SecretStore, folder: Path | None
) -> None:
    """Until cancelled. ``inbox``: the camera module's folder; ``folder``: below which targets of folders write."""
    env = service.env
    around = Surroundings(env.device_id, service.module_version, secrets, env.secrets, folder)
    metrics = UploadMetrics(service.metrics)
    spool, accounts = Spool(env.state / "spool", env.seals), Accounts(env.state / "accounts.json")
    telling = Telling(service, spool)
    workers = Workers(service, around, spool, accounts, telling=telling, metrics=metrics)
    intake = SpoolIntake(
        service, Inbox(inbox, env.seals), spool=spool, accounts=accounts, workers=workers, metrics=metrics
    )
    offer_methods(service, spool, accounts, workers)
    offer_demands(service)

    async def apply(new: EvidenceConfig, _previous: EvidenceConfig | None) -> None:
        workers.configure(new)
        intake.configure(new)

    service.thread("evidence.intake", intake.run)
    service.thread("evidence.telling", telling.run)
    await service.start()
    await service.twin.run(apply)
