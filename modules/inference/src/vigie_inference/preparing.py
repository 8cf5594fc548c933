"""Measures a bundle that does not serve yet, so that no commit falls to an engine that nobody measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from vigie.runtimes import Candidate
from vigie.runtimes.choosing.breaker import Breaker
from vigie.runtimes.choosing.candidates_here import Here
from vigie.runtimes.choosing.choose import Choice, choose
from vigie.runtimes.choosing.decision_cache import DecisionCache
from vigie.runtimes.choosing.fingerprint import fingerprint
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.measuring.measure import MeasureProgress
from vigie.runtimes.measuring.measurement import Failure, Measured
from vigie_inference.config import InferenceConfig
from vigie_inference.control.candidates import allowed_of, for_load, to_measure
from vigie_inference.load import Load
from vigie_inference.measuring import Measuring
from vigie_inference.objective import objective_of
from vigie_inference.serving import LoadedBundle

Look = Callable[[LoadedBundle, InferenceConfig, Objective], Here]


class Preparation:
    """One bundle to be measured. ``choice``, ``objective`` and ``known`` count once ``ready`` is set.

    ``known``: what was measured of its candidates; empty where measuring is off or there is nothing to compare.
    """

    def __init__(self, loaded: LoadedBundle, config: InferenceConfig) -> None:
        self.loaded, self.config = loaded, config
        self.ready = threading.Event()
        self.given_up = False
        self.progress: MeasureProgress | None = None
        self.objective = objective_of(config)
        self.choice = Choice((), (), ())
        self.known: Mapping[str, Measured] = {}

    def progressed(self, progress: MeasureProgress) -> None:
        self.progress = progress


class Preparing:
    """``ask``: from the thread of updates; ``attend``: by the thread that chooses the runtime."""

    def __init__(
        self,
        cache: DecisionCache,
        measuring: Measuring,
        breaker: Breaker,
        load: Load,
        *,
        look: Look,
        failed: Callable[[Candidate, Failure], None],
    ) -> None:
        """``look``: what this machine has for a bundle. ``failed``: told of candidates that could not be measured."""
        self._cache, self._measuring, self._breaker, self._load = cache, measuring, breaker, load
        self._look, self._failed = look, failed
        self._asked: Preparation | None = None

    def ask(self, loaded: LoadedBundle, config: InferenceConfig) -> Preparation:
        """What the other thread measures as soon as the serving bundle is settled; the one asked for before is left."""
        asked = Preparation(loaded, config)
        self._asked = asked
        self._load.attention.set()
        return asked

    def attend(self, superseded: Callable[[], bool]) -> None:
        """Measure what was asked for; left for the next call if ``superseded`` says so meanwhile."""
        asked = self._asked
        if asked is None or asked.ready.is_set() or asked.given_up:
            return
        here = self._look(asked.loaded, asked.config, asked.objective)
        mark = fingerprint(asked.loaded.bundle, here.facts)
        entry = self._cache.load(mark)
        known = {one.candidate.key: one for one in entry.measured} if entry is not None and entry.complete else {}
        allowed = allowed_of(here, asked.objective)
        now_s = time.time()
        todo = to_measure(
            allowed,
            known,
            lambda key: self._breaker.is_open(key, now_s),
            measure=asked.config.runtime.measure == "auto",
        )
        if todo:
            entry = self._measuring.all_of(
                asked.loaded.bundle,
                todo,
                mark,
                progress=asked.progressed,
                stop=lambda: superseded() or asked.given_up,
            )
            if entry is None:
                return
            known = {one.candidate.key: one for one in entry.measured}
            for candidate in todo:
                failure = known[candidate.key].failure
                if failure is not None and failure.trouble != "refused":
                    self._failed(candidate, failure)
        keys = {one.key for one in here.candidates}
        asked.objective = for_load(asked.objective, queueing=self._load.queueing())
        asked.known = {key: one for key, one in known.items() if key in keys}
        asked.choice = choose(list(asked.known.values()), asked.objective, here.not_here(asked.objective))
        asked.ready.set()
