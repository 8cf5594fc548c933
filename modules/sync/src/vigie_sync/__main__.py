"""The sync module, as a table of contents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vigie.config.environment import ModuleEnvironment
from vigie.contracts import names
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.envelope import EVENTS
from vigie.contracts.told import Told
from vigie.demand import offer_demands
from vigie.events.check import check_rules
from vigie.ledger.ledger_thread import LedgerThread
from vigie.service import InputQueue, open_service, run_module
from vigie_sync.config import SyncConfig
from vigie_sync.drops import Drops
from vigie_sync.facts import FactStage, Heard
from vigie_sync.handover import Handover, receivers_of
from vigie_sync.keeping import Keeping
from vigie_sync.methods import offer_methods
from vigie_sync.outbox import Outbox
from vigie_sync.receive import ReceiveStage
from vigie_sync.timeline import Timeline

# The kernel's shared memory; the folder in it is private, of mode 0700.
MEMORY = Path("/dev/shm")  # noqa: S108


async def main(env: ModuleEnvironment) -> None:
    with LedgerThread(env.state, name="sync.ledger", memory=MEMORY, seals=env.seals) as ledger:
        async with open_service(env, SyncConfig) as service:
            detections = service.input(names.DETECTIONS, DetectionsItem)
            telemetry = service.output(names.TELEMETRY, None)
            outbox = Outbox(service, ledger, telemetry)
            drops = Drops(service, ledger)
            timeline = Timeline(service.unwatched_output(names.TIMELINE, Told), service.metrics, env.boot)
            handovers = [Handover(service, name, env.state / f"for-{name}") for name in receivers_of(os.environ)]
            keeping = Keeping(service)
            receive = ReceiveStage(
                service, detections, ledger, outbox, drops=drops, timeline=timeline, handovers=handovers,
                keeping=keeping,
            )  # fmt: skip
            union: Any = Heard
            told: InputQueue[Heard] = service.input(names.EVENTS, union, schema=EVENTS)
            facts = FactStage(
                service, told, ledger, outbox,
                handovers=handovers, counter=receive.told, drops=drops, timeline=timeline,
                keeping=keeping,
            )  # fmt: skip
            offer_methods(
                service, ledger, outbox, timeline=timeline, telling=receive.telling, drops=drops, handovers=handovers
            )
            offer_demands(service).answer_also = timeline.answer

            async def apply(new: SyncConfig, _previous: SyncConfig | None) -> None:
                check_rules(new.cameras)
                ledger.configure(new.ledger_rules)
                receive.configure(new)
                facts.configure(new)
                outbox.configure(new)

            service.thread("sync.receive", receive.run)
            service.thread("sync.facts", facts.run)
            service.thread("sync.outbox", outbox.run)
            for handover in handovers:
                service.thread(f"sync.{handover.receiver}", handover.run)
            await service.start()
            await service.twin.run(apply)


if __name__ == "__main__":
    raise SystemExit(run_module(names.SYNC, main))
