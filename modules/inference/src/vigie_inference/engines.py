"""Opens the engines of this module: in its own process where that is safe, and then watched; else in one of their own.

A run inside this process cannot be ended: the thread that is in it has no way out. So a run that hangs there ends the
module, and its bundle is remembered; from the next start on it runs in a process that can be ended.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.closable import Closable
from vigie.errors import ConfigRefusedError, EngineError, ModelHungError, VigieError
from vigie.log import get_logger
from vigie.runtimes import Candidate, Engine, EngineSettings
from vigie.runtimes.choosing.breaker import Breaker
from vigie.runtimes.engines.isolated_engine import IsolatedEngine
from vigie.runtimes.engines.opening import open_to_serve
from vigie.runtimes.proof import Proof
from vigie.thread_names import ENGINE, threads_started_as
from vigie_inference.config import InferenceConfig
from vigie_inference.control.candidates import always_isolated, isolates
from vigie_inference.serving import LoadedBundle, ServingModel

log = get_logger("inference")

# What an isolated engine is given at most, too; no model that serves frames takes this long for one.
HUNG_AFTER_S = 30.0
TICK_S = 1.0


class RunWatch:
    """Runs under way inside this process. Ages are counted in ticks: a process that was stopped, or a machine that
    slept, does not age.
    """

    def __init__(self) -> None:
        self._runs: dict[int, tuple[str, str]] = {}
        self._ages: dict[int, int] = {}
        self._numbers = itertools.count()

    def begin(self, digest: str, model: str) -> int:
        """A run of bundle ``digest`` begins; ``model`` names it for people. Returns: what ``end`` needs."""
        number = next(self._numbers)
        self._runs[number] = digest, model
        return number

    def end(self, number: int) -> None:
        self._runs.pop(number, None)

    def tick(self, limit_ticks: int) -> tuple[str, str] | None:
        """One tick passed. Returns: digest and name of what has been running for more than ``limit_ticks``."""
        under_way = dict(self._runs)
        self._ages = {number: self._ages.get(number, 0) + 1 for number in under_way}
        return next((under_way[number] for number, age in self._ages.items() if age > limit_ticks), None)


class WatchedEngine(Closable):
    """See ``Engine``: one in this process whose runs the watch sees."""

    def __init__(self, engine: Engine, digest: str, model: str, watch: RunWatch) -> None:
        self._engine, self._digest, self._model, self._watch = engine, digest, model, watch
        self.candidate, self.provider, self.variant = engine.candidate, engine.provider, engine.variant
        self.threads, self.input_shape = engine.threads, engine.input_shape

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        number = self._watch.begin(self._digest, self._model)
        try:
            return self._engine.run(tensor_hwc)
        finally:
            self._watch.end(number)

    def prove(self) -> Proof:
        return self._engine.prove()

    def placement(self) -> dict[str, int]:
        return self._engine.placement()

    def close(self) -> None:
        self._engine.close()


class Engines:
    """From any thread."""

    def __init__(self, breaker: Breaker, fail: Callable[[EngineError], None]) -> None:
        """``fail`` ends the module with the reason."""
        self._breaker, self._fail = breaker, fail
        self._watch = RunWatch()

    def open(
        self,
        loaded: LoadedBundle,
        candidate: Candidate,
        config: InferenceConfig,
        settings: EngineSettings | None = None,
    ) -> Engine:
        """In a process of its own where that is safer, or ``config`` asks for it. Raises: VigieError: it cannot be."""
        isolate = isolates(candidate, always=always_isolated(config), hung=self._breaker.has_hung(loaded.bundle.digest))
        with threads_started_as(ENGINE):
            engine = open_to_serve(loaded.bundle, candidate, settings, isolate=isolate)
        if isinstance(engine, IsolatedEngine):
            return engine
        name = f"{loaded.bundle.card.name}/{candidate.key}"
        return WatchedEngine(engine, loaded.bundle.digest, name, self._watch)

    def first(self, loaded: LoadedBundle, candidate: Candidate, config: InferenceConfig) -> ServingModel:
        """``loaded`` with the engine that answers first. Raises: ConfigRefusedError: the runtime refuses it."""
        try:
            return ServingModel(loaded, self.open(loaded, candidate, config))
        except VigieError as error:
            raise ConfigRefusedError("$.model", str(error)) from error

    def run(self, stop: threading.Event) -> None:
        """Watch until ``stop`` is set: the body of a thread that does nothing else, so that nothing can hold it up."""
        while not stop.wait(TICK_S):
            hung = self._watch.tick(round(HUNG_AFTER_S / TICK_S))
            if hung is None:
                continue
            digest, model = hung
            self._breaker.hung(digest)
            error = ModelHungError(model, HUNG_AFTER_S)
            # A cause marks a failure; without one it would read as a configuration that somebody has to change.
            error.__cause__ = TimeoutError("the run did not end")
            log.error("model_hung", model=model, limit_s=HUNG_AFTER_S)
            self._fail(error)
            return
