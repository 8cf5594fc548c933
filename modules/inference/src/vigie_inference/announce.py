"""Publishes the input spec of the serving model, so that preprocess knows what to fit frames to.

Repeated rather than answered on request: whichever module restarts, the next announcement finds it. Quick while no
tensor of the serving spec arrives, slow when all is well.
"""

from __future__ import annotations

import threading
import time

import msgspec

from vigie.contracts.inputspec import InputSpec
from vigie.messaging.output import Output
from vigie.service import Service
from vigie_inference.config import InferenceConfig
from vigie_inference.infer import InferStage
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.update.trial import TrialRun

QUICK_S = 0.25
SLOW_S = 5.0
FRESH_S = 2.0
STALLED_AFTER_S = 30.0


class Announcer:
    """The body of one small thread."""

    def __init__(
        self,
        service: Service[InferenceConfig],
        output: Output[InputSpec],
        models: ModelsInService,
        stage: InferStage,
        trial: TrialRun,
    ) -> None:
        self._output, self._models, self._stage, self._trial = output, models, stage, trial
        self._alive = service.health.watch("inference.announce", STALLED_AFTER_S)
        self._changed = threading.Event()

    def model_changed(self) -> None:
        """Another model serves, or is on trial beside it."""
        self._changed.set()

    def run(self, stop: threading.Event) -> None:
        announced_s = 0.0
        while not stop.is_set():
            self._alive.beat()
            now_s = time.monotonic()
            flowing = now_s - self._stage.fitting_tensor_seen_s < FRESH_S
            changed = self._changed.is_set()
            model = self._models.serving
            if model is not None and (changed or now_s - announced_s >= (SLOW_S if flowing else QUICK_S)):
                self._changed.clear()
                announced_s = now_s
                self._output.send_now(msgspec.structs.replace(model.spec, also=self._trial.also()))
            self._changed.wait(QUICK_S)
