"""Publishes the input specs of the serving models, so that preprocess knows what to fit frames to.

Repeated rather than answered on request: whichever module restarts, the next announcement finds it. Quick while no
tensor of the serving spec arrives, slow when all is well.
"""

from __future__ import annotations

import threading
import time

from vigie.contracts.inputspec import InputSpec
from vigie.messaging.output import Output
from vigie.service import Service
from vigie_inference.config import InferenceConfig
from vigie_inference.infer import InferStage
from vigie_inference.seats.seat import Seats

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
        seats: Seats,
        stage: InferStage,
    ) -> None:
        self._output, self._seats, self._stage = output, seats, stage
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
            if changed or now_s - announced_s >= (SLOW_S if flowing else QUICK_S):
                self._changed.clear()
                announced_s = now_s
                spec = self._seats.spec()
                if spec is not None:
                    self._output.send_now(spec)
            self._changed.wait(QUICK_S)
