"""Which inputs, outputs, threads and methods the module has, and what connects them."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

from vigie.contracts import names
from vigie.contracts.blur import BlurAnswer
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.inputspec import InputSpec
from vigie.contracts.tensors import TensorItem
from vigie.demand import offer_demands
from vigie.runtimes.threads import threads_available
from vigie.service import Service
from vigie_inference.announce import Announcer
from vigie_inference.apply import ApplyConfig
from vigie_inference.config import InferenceConfig
from vigie_inference.drift.drift import Drift
from vigie_inference.governor.governor import Governor
from vigie_inference.infer import InferStage, order_of
from vigie_inference.methods import offer_methods
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.put_in_service import PutInService
from vigie_inference.runtime_control import RuntimeControl
from vigie_inference.seats.seat import MAIN, Seat, Seats
from vigie_inference.seats.seating import Seating
from vigie_inference.telling import Telling
from vigie_inference.update.base import Base
from vigie_inference.update.methods import offer_update_methods
from vigie_inference.update.tryout import Tryout
from vigie_inference.update.updates import Updates
from vigie_inference.which_model import which_model

# Results waiting for sync: minutes of one camera, some megabytes.
RESULTS_WAITING_MAX = 4000
# Where results go by messages through the hub, several frames share one. By doorbell each goes at once, and sync
# commits several together: so many may be on their way until it has.
RESULTS_LINGER_MS = 100.0
RESULTS_ON_THE_WAY = 64


async def run_inference(
    service: Service[InferenceConfig], models: ModelsInService, *, machine: Path = Path("/")
) -> None:
    """Until cancelled. ``models`` is closed by the caller, after the service's threads have stopped.

    ``machine``: where /sys and /proc of the machine lie.
    """
    tensors = service.input(names.TENSORS, TensorItem, order_of=order_of)
    detections = service.output(
        names.DETECTIONS,
        (names.SYNC, names.DETECTIONS),
        item_type=DetectionsItem,
        max_outstanding=RESULTS_WAITING_MAX,
        doorbell=True,
        route_linger_ms=RESULTS_LINGER_MS,
        bell_messages=RESULTS_ON_THE_WAY,
    )
    specs = service.output(names.INPUT_SPEC, (names.PREPROCESS, names.INPUT_SPEC), item_type=InputSpec)
    overlay = service.output(
        names.OVERLAY, (names.VIEWER, names.DETECTIONS), item_type=DetectionsItem, sampled=True, doorbell=True
    )
    main = Seat(MAIN, models)
    load, trial, seats = main.load, main.trial, Seats(main)
    telling = Telling(service)
    drift = Drift(service, models, telling)
    stage = InferStage(service, tensors, detections, seats, service.env.tensors, saw=drift.saw)
    wants = offer_demands(service).wants
    stage.show_to_viewer(overlay, wants)
    answers = service.unwatched_output(names.BLUR, BlurAnswer)
    stage.tell_blur(answers.send_now)
    on_trial = service.unwatched_output(names.TRIAL, DetectionsItem)

    def show(seen: DetectionsItem) -> None:
        if wants(seen.camera, seen.seq):
            on_trial.offer(seen, key=seen.camera, keep=False)

    trial.show = show
    trial.differs = lambda result, other: telling.disagreement(result, other, time.monotonic())
    governor = Governor(service, seats, stage.rate, telling, frames=lambda: stage.inferred, machine=machine)
    announcer = Announcer(service, specs, seats, stage)
    alone = threading.Lock()
    control = RuntimeControl(service, models, load, alone)
    put = PutInService(service, models, announcer, control)
    updates = Updates(
        service, models, put,
        control=control, load=load, announcer=announcer, trial=trial, telling=telling,
        base=Base(lambda one: which_model(one.model, service.env.models), "the model of desired property 'model'"),
    )  # fmt: skip
    seating = Seating(service, seats, updates, announcer=announcer, telling=telling, alone=alone)
    tryout = Tryout(service, models, put, updates=updates.report, trial=trial, announcer=announcer)
    offer_methods(service, models, control)
    offer_update_methods(service, updates, seating)

    for number in range(threads_available()):
        service.thread(f"inference.run-{number + 1}", stage.work)
    service.thread("inference.announce", announcer.run)
    service.thread("inference.runtime", control.run)
    service.thread("inference.hangs", control.engines.run)
    service.thread("inference.trial", trial.run)
    service.thread("inference.tryout", tryout.run)
    service.thread("inference.update", updates.run)
    service.thread("inference.drift", drift.run)
    service.thread("inference.seats", seating.run)
    service.thread("inference.governor", governor.run)
    await service.start()
    apply = ApplyConfig(service, models, control, put, updates, seating=seating, ringing=(detections, overlay))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(apply.try_again(), name="inference.refused")
        await service.twin.run(apply)
