"""Lies in service: a frame of the bundle's reference set runs on the serving engine now and then.

Parity is judged when a candidate is measured; a driver that is updated or a device that overheats may answer wrongly
later, finite and plausible. One frame that does not agree is a suspicion; the whole reference set, judged as it was
when measured, is the verdict. A lie is a failure of the engine like any other: its breaker opens, another answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, EngineLiesError
from vigie.log import get_logger
from vigie.metrics import MetricsPart
from vigie.runtimes.engines.freed_memory import give_back_freed_memory
from vigie.runtimes.parity import ParityResult, judge
from vigie.runtimes.reference_frames import reference_frames
from vigie_inference.load import Load
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.serving import ServingModel

log = get_logger("inference")

Frames = list[tuple[NDArray[np.uint8], list[NDArray[Any]]]]


class Canary:
    """For the thread that chooses the runtime."""

    def __init__(
        self,
        models: ModelsInService,
        load: Load,
        metrics: MetricsPart,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock``: monotonic seconds."""
        self._models, self._load, self._clock = models, load, clock
        self._checks = metrics.counter("vigie_canary_checks", "Checks of the serving engine's answers.", ("result",))
        self._spent = metrics.counter("vigie_canary_seconds", "Time that the serving engine spent on such checks.")
        self._model: ServingModel | None = None
        self._since_s = 0.0
        self._next = 0

    def look(self, minutes: float) -> None:
        """Check the serving engine if that is due: every ``minutes``, 0 is never."""
        serving = self._models.serving
        if serving is not self._model:
            self._model, self._since_s = serving, self._clock()
        if serving is None or not minutes or self._clock() - self._since_s < minutes * 60:
            return
        self._since_s = self._clock()
        self._look_at(serving)
        give_back_freed_memory()  # the reference is megabytes, needed again in minutes

    def _look_at(self, serving: ServingModel) -> None:
        frames = reference_frames(serving.bundle)
        answering = self._models.answering(serving.spec.version) if frames else None
        if answering is None:
            return
        model, _ = answering
        try:
            self._check(model, frames)
        finally:
            self._models.release(model)

    def _check(self, model: ServingModel, frames: Frames) -> None:
        self._next = (self._next + 1) % len(frames)
        try:
            found = self._judged(model, [frames[self._next]])
            if not found.passed:
                found = self._judged(model, frames)
        except EngineError as error:
            self._failed(model, error, "failed")
            return
        if not found.passed:
            name = f"{model.bundle.card.name}/{model.engine.candidate.key}"
            self._failed(model, EngineLiesError(name, found.why), "lie")
            return
        self._checks.labels("agrees").inc()
        log.debug("canary_agrees", candidate=model.engine.candidate.key, agreement=found.agreement)

    def _judged(self, model: ServingModel, frames: Frames) -> ParityResult:
        """As when measured: the frames, and a black and a white picture."""

        def run(tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
            with model.gate:
                begun_s = time.monotonic()
                outputs = [np.array(output) for output in model.engine.run(tensor_hwc)]
                self._spent.inc(time.monotonic() - begun_s)
            return outputs

        return judge(model.bundle.card, run, frames, minimum=model.loaded.parity_min(model.engine.variant))

    def _failed(self, model: ServingModel, error: EngineError, result: str) -> None:
        self._checks.labels(result).inc()
        log.warning("canary_failed", candidate=model.engine.candidate.key, reason=str(error))
        standby = self._models.fail_over(model)
        if standby is not None:
            self._models.release(standby)
        self._load.failed(model, error)
