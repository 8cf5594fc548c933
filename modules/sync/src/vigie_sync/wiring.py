"""Which inputs, outputs, threads and methods the module has, and what connects them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

from vigie.contracts import names
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.envelope import EVENTS
from vigie.contracts.told import Told
from vigie.demand import offer_demands
from vigie.events.check import check_rules
from vigie.ledger.ledger_thread import LedgerThread
from vigie.service import InputQueue, Service
from vigie_sync.config import SyncConfig
from vigie_sync.drops import Drops
from vigie_sync.facts import FactStage, Heard
from vigie_sync.handover import Handover, receivers_of
from vigie_sync.keeping import Keeping
from vigie_sync.methods import offer_methods
from vigie_sync.outbox import Outbox
from vigie_sync.receive import ReceiveStage
from vigie_sync.timeline import Timeline


async def run_sync(service: Service[SyncConfig], ledger: LedgerThread, after_threads: ExitStack) -> None:
    """Until cancelled. The caller closes ``ledger`` and ``after_threads`` once the service's threads have stopped."""
    env = service.env
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
        service, ledger, outbox, timeline=timeline, encoder=receive.event_encoder, drops=drops, handovers=handovers
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
        after_threads.callback(handover.close)
        service.thread(f"sync.{handover.receiver}", handover.run)
    await service.start()
    await service.twin.run(apply)
