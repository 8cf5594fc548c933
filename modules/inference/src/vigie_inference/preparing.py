"""Measures a bundle that does not serve yet, so that no commit falls to an engine that nobody measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from vigie.runtimes import Candidate
from vigie.runtimes.choosing.breaker import Breaker
from vigie.runtimes.choosing.candidates_here import Here
from vigie.runtimes.choosing.choose import Choice, choose
from vigie.runtimes.choosing.decision_cache import DecisionCache
from vigie.runtimes.choosing.fingerprint import fingerprint
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.engines.opening import is_safe
from vigie.runtimes.measuring.measure import MeasureProgress
from vigie.runtimes.measuring.measurement import Failure, Measured
from vigie_inference.config import InferenceConfig
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
        todo = to_measure(allowed, known, self._breaker, measure=asked.config.runtime.measure == "auto")
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


def allowed_of(here: Here, objective: Objective) -> list[Candidate]:
    """The candidates of this machine that the objective lets serve."""
    return [one for one in here.candidates if objective.require.all_of(one) and not objective.forbid.any_of(one)]


def to_measure(
    allowed: Sequence[Candidate], known: Mapping[str, Measured], breaker: Breaker, *, measure: bool
) -> list[Candidate]:
    """All that may serve if one of them is unknown, so that all are measured in the same rounds; or nothing."""
    now_s = time.time()
    wanted = [one for one in allowed if not breaker.is_open(one.key, now_s)]
    unknown = [one for one in wanted if one.key not in known]
    nothing_to_compare = len(wanted) == 1 and is_safe(wanted[0])
    return wanted if unknown and measure and not nothing_to_compare else []


def for_load(objective: Objective, *, queueing: bool, saving: bool = False) -> Objective:
    """What ``auto`` comes to under this load: the most frames while they queue, else the least delay of one.

    ``saving``: whatever was asked, the least energy.
    """
    if saving:
        return msgspec.structs.replace(objective, kind="energy")
    if objective.kind != "auto":
        return objective
    return msgspec.structs.replace(objective, kind="throughput" if queueing else "latency")


def may_save(known: Sequence[Measured], in_force: Candidate | None) -> bool:
    """Whether the least energy can be told: by a meter, or by CPU time if that is where the engine in force spends it.

    Without a meter, CPU time says nothing of another device: leaving a GPU for the CPU would heat the machine.
    """
    metered = bool(known) and all(trial.joules is not None for one in known for trial in one.trials)
    return metered or (in_force is not None and in_force.device == "CPU")
