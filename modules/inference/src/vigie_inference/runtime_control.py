"""Chooses the runtime while the module serves: measures, ranks, switches, and moves on when an engine fails.

One thread. The inference thread answers all the time: it meets a new engine by taking the next tensor, and tells of a
failed one through ``Load``.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from typing import Any

from vigie.errors import ConfigRefusedError
from vigie.log import get_logger
from vigie.runtimes import Candidate
from vigie.runtimes.choosing.breaker import Breaker
from vigie.runtimes.choosing.candidates_here import Here, candidates_here
from vigie.runtimes.choosing.choose import Choice, Ranked, Rejection, choose
from vigie.runtimes.choosing.decision_cache import DecisionCache
from vigie.runtimes.choosing.fingerprint import fingerprint
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.engines.opening import is_safe
from vigie.runtimes.measuring.measurement import Measured
from vigie_inference.canary import Canary
from vigie_inference.config import InferenceConfig
from vigie_inference.engines import Engines
from vigie_inference.first_engine import first_engine
from vigie_inference.load import Load
from vigie_inference.measuring import Measuring
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.objective import objective_of
from vigie_inference.preparing import Preparing, allowed_of, for_load, may_save, to_measure
from vigie_inference.runtime_report import RuntimeReport
from vigie_inference.runtime_state import Serving, in_order, opened, serving_of
from vigie_inference.seats.seat_service import SeatService
from vigie_inference.serving import LoadedBundle, ServingModel
from vigie_inference.switching import Switching

log = get_logger("inference")

LOOK_S = 1.0
# Above the longest honest step: loading an engine that compiles itself.
STALLED_AFTER_S = 300.0


@dataclasses.dataclass(frozen=True, eq=False)
class RuntimeWish:
    """What the accepted configuration asks for; a new one supersedes the work on the former."""

    loaded: LoadedBundle
    config: InferenceConfig
    objective: Objective

    def allowed(self, here: Here) -> list[Candidate]:
        return allowed_of(here, self.objective)


class RuntimeControl:
    """``first``, ``adopt`` and ``again`` from any thread; ``run`` is the body of its own."""

    def __init__(self, service: SeatService, models: ModelsInService, load: Load, alone: threading.Lock) -> None:
        """``alone``: see ``Measuring``."""
        folder = service.env.runtimes or service.env.state
        self._service, self._models, self._load = service, models, load
        self._cache = DecisionCache(folder)
        self._breaker = Breaker(folder, time.time())
        self._measuring = Measuring(self._cache, self._breaker, load, folder / "engines", alone)
        self.report = RuntimeReport(service)
        self.engines = Engines(self._breaker, service.fail)
        self._switching = Switching(models, self._breaker, self.report, self.engines, folder / "engines")
        self._canary = Canary(models, load, service.metrics)
        self.preparing = Preparing(
            self._cache,
            self._measuring,
            self._breaker,
            load,
            look=self._look,
            failed=lambda one, failure: self._switching.failed(one, failure.reason, failure.trouble),
        )
        self._alive = service.health.watch("inference.runtime", STALLED_AFTER_S)
        self._lock = threading.Lock()
        self._wanted: RuntimeWish | None = None
        self._done: RuntimeWish | None = None
        self._known: dict[str, Measured] = {}
        self._choice = Choice((), (), ())
        self._fingerprint = ""
        self._queueing, self._saving = True, False
        self._looked: dict[tuple[Any, ...], Here] = {}

    def first(self, loaded: LoadedBundle, config: InferenceConfig) -> ServingModel:
        """``loaded`` with what answers until the choice is made.

        Raises: ConfigRefusedError: lists that contradict each other; an engine that this machine does not have, or
            that refuses the model.
        """
        self.engines.always = config.runtime.isolate == "always"
        objective = objective_of(config)
        here = self.check(loaded, config)
        entry = self._cache.load(fingerprint(loaded.bundle, here.facts))
        return self.engines.first(loaded, first_engine(loaded.bundle, here, objective, entry, self._breaker))

    def check(self, loaded: LoadedBundle, config: InferenceConfig) -> Here:
        """The candidates of this machine. Raises: ConfigRefusedError: it does not have the engine that is asked for."""
        here = self._look(loaded, config, objective_of(config))
        pin = config.runtime.engine
        if pin is not None and not any(one.engine == pin for one in here.candidates):
            why = next((f"{one.reason}; {one.remedy}" for one in here.lacking if one.engine == pin), "there is no such")
            known = ", ".join(sorted({one.engine for one in here.candidates}))
            raise ConfigRefusedError("$.runtime.engine", f"{pin!r} cannot serve here: {why}; there are: {known}")
        return here

    def adopt(self, loaded: LoadedBundle | None, config: InferenceConfig) -> None:
        """Choose for this bundle and configuration from now on; None: there is none."""
        self.engines.always = config.runtime.isolate == "always"
        with self._lock:
            self._wanted = None if loaded is None else RuntimeWish(loaded, config, objective_of(config))
        self._load.attention.set()

    def serving_value(self, objective: Objective) -> Ranked | None:
        """What the serving engine costs by ``objective``, as measured; None: it was not, or nothing serves."""
        serving = self._models.serving
        known = None if serving is None else self._known.get(serving.engine.candidate.key)
        ranking = () if known is None else choose([known], objective).ranking
        return ranking[0] if ranking else None

    def again(self) -> bool:
        """Measure the serving bundle anew; False while there is none, or its measuring is under way."""
        with self._lock:
            if self._wanted is None or self._wanted is not self._done:
                return False
            self._cache.forget(self._fingerprint)
            self._wanted = dataclasses.replace(self._wanted)
        self._load.attention.set()
        return True

    def idle(self) -> bool:
        """Nothing is being measured or chosen."""
        return self._wanted is self._done

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._alive.beat()
            self._load.attention.wait(LOOK_S)
            self._load.attention.clear()
            wanted = self._wanted
            try:
                self._take_failures()
                self._attend(wanted, stop)
            except Exception:
                # What serves goes on serving: a fault in choosing must not cost the frames.
                log.exception("runtime_choice_failed")
                self._done = wanted
        self._breaker.settled()

    def _attend(self, wanted: RuntimeWish | None, stop: threading.Event) -> None:
        if wanted is None:
            if self._done is not None:
                self._service.health.ready("inference.runtime")
                self.report.nothing()
            self._done = None
        elif wanted is not self._done:
            if self._consider(wanted, stop):
                self._done = wanted
        else:
            self._switching.look_after()
            self._canary.look(wanted.config.runtime.canary_minutes)
            self._take_failures()
            if wanted.objective.kind == "auto" and self._load.queueing() != self._queueing:
                log.info("runtime_follows_load", queueing=not self._queueing)
                self._decide(wanted, self._here(wanted))
            elif self._load.saving != self._saving:
                log.info("runtime_follows_machine", saving=self._load.saving)
                self._decide(wanted, self._here(wanted))
            self._try_again(wanted, stop)
        if wanted is self._done:
            self.preparing.attend(lambda: self._superseded(wanted, stop))

    def _consider(self, wanted: RuntimeWish, stop: threading.Event) -> bool:
        """Measure what is not known, choose, switch. False if a newer wish, or the end, came in between."""
        here = self._here(wanted)
        self._fingerprint = fingerprint(wanted.loaded.bundle, here.facts)
        entry = self._cache.load(self._fingerprint)
        if entry is not None and not entry.complete:
            entry = None  # its beginning is on disk: measuring goes on from there
        self._known = {} if entry is None else {one.candidate.key: one for one in entry.measured}
        cached = entry is not None
        todo = to_measure(
            wanted.allowed(here), self._known, self._breaker, measure=wanted.config.runtime.measure == "auto"
        )
        if todo:
            self._mark_unmet(wanted, _required(wanted, "it is being measured"))
            self.report.update(phase="measuring", objective=wanted.objective.kind, serving=self._serving())
            log.info("runtime_measuring", candidates=[one.key for one in todo])
            entry = self._measuring.all_of(
                wanted.loaded.bundle,
                todo,
                self._fingerprint,
                progress=self.report.progressed,
                stop=lambda: self._superseded(wanted, stop),
            )
            if entry is None:
                return False
            cached = False
            self._known = {one.candidate.key: one for one in entry.measured}
            for one in todo:
                failure = self._known[one.key].failure
                if failure is not None and failure.trouble != "refused":
                    self._switching.failed(one, failure.reason, failure.trouble)
        self._decide(wanted, here)
        self.report.update(
            cached=cached, measured_at="" if entry is None else entry.measured_at, fingerprint=self._fingerprint[:12]
        )
        return True

    def _decide(self, wanted: RuntimeWish, here: Here) -> None:
        """Rank what is known and let the best that can be opened serve."""
        allowed = wanted.allowed(here)
        keys = {one.key for one in here.candidates}
        now_s = time.time()
        left_alone = tuple(
            Rejection(key, f"failed, and is left alone for {round(one.retry_at_s - now_s)} s more: {one.reason}")
            for key, one in self._breaker.troubles().items()
            if key in keys and key not in self._known and now_s < one.retry_at_s
        )
        known = [one for key, one in self._known.items() if key in keys]
        self._queueing, self._saving = self._load.queueing(), self._load.saving
        in_force = None if self._models.serving is None else self._models.serving.engine.candidate
        saves = self._saving and may_save(known, in_force)
        objective = for_load(wanted.objective, queueing=self._queueing, saving=saves)
        self._choice = choose(known, objective, (*here.not_here(wanted.objective), *left_alone))
        order = [ranked.candidate for ranked in self._choice.ranking]
        # What nobody measured may serve where it cannot do harm: the only one there is, or all if measuring is off.
        unknown = [one for one in allowed if is_safe(one) and one.key not in self._known]
        order += sorted(unknown, key=lambda one: one != in_force)  # no switch without a reason
        chosen = self._let_serve(wanted, order, now_s)
        if chosen is None:
            self._last_resort(wanted, here, now_s)
        self._mark_unmet(wanted, self._choice.unmet or _required(wanted, "nothing of it can serve"))
        self._tell(wanted, order, degraded=bool(order) and chosen is not order[0])

    def _let_serve(self, wanted: RuntimeWish, order: list[Candidate], now_s: float) -> Candidate | None:
        for candidate in order:
            if not self._breaker.is_open(candidate.key, now_s) and self._switching.serve(
                wanted.loaded, candidate, self._known
            ):
                return candidate
        return None

    def _last_resort(self, wanted: RuntimeWish, here: Here, now_s: float) -> None:
        """Nothing that may be chosen can serve. If the serving engine is broken too, a safe one is better than none."""
        serving = self._models.serving
        if serving is None or serving is not self._switching.blamed:
            return
        safe = [one for one in here.candidates if is_safe(one) and not wanted.objective.forbid.any_of(one)]
        safe.sort(key=lambda one: self._breaker.is_open(one.key, now_s))
        for candidate in safe:
            if self._switching.serve(wanted.loaded, candidate, self._known):
                return

    def _tell(self, wanted: RuntimeWish, order: list[Candidate], *, degraded: bool) -> None:
        choice, serving = self._choice, self._serving()
        reasons = choice.reasons if choice.ranking else ("nothing was compared: see 'measured' and 'rejected'",)
        if not choice.ranking and len(order) == 1:
            reasons = ("one candidate may serve: there is nothing to choose",)
        self.report.update(
            phase="degraded" if degraded or choice.unmet else "settled",
            objective=wanted.objective.kind,
            serving=serving,
            chosen=order[0].key if order else "",
            reasons=reasons,
            unmet=choice.unmet,
            progress=None,
            measured=in_order(self._known, choice),
            rejected=choice.rejected,
            breaker=opened(self._breaker.troubles(), time.time()),
            energy=next((one.figures.meter for one in choice.ranking if one.figures.meter), "unavailable"),
        )
        log.info(
            "runtime_settled",
            model=wanted.loaded.spec.version,
            candidate=None if serving is None else serving.candidate,
            verdict=None if serving is None else serving.verdict,
            reasons=reasons,
            rejected=[f"{one.candidate}: {one.reason}" for one in choice.rejected if one.candidate in self._known],
        )

    def _try_again(self, wanted: RuntimeWish, stop: threading.Event) -> None:
        """A candidate that failed long enough ago gets another chance, the serving one apart."""
        serving = self._models.serving
        if serving is None:
            return
        here, now_s = self._here(wanted), time.time()
        allowed = {one.key: one for one in wanted.allowed(here)}
        ranked = [one.candidate.key for one in self._choice.ranking]
        in_force = serving.engine.candidate.key
        for key, trouble in self._breaker.troubles().items():
            sound = serving is not self._switching.blamed
            if key not in allowed or now_s < trouble.retry_at_s or (sound and key == in_force):
                continue
            if key in ranked:
                if not sound or in_force not in ranked or ranked.index(key) < ranked.index(in_force):
                    log.info("runtime_retried", candidate=key, failures=trouble.failures)
                    self._decide(wanted, here)
                    return
            elif wanted.config.runtime.measure == "auto":
                self._measure_again(wanted, allowed[key], here, stop)
                return

    def _measure_again(self, wanted: RuntimeWish, candidate: Candidate, here: Here, stop: threading.Event) -> None:
        log.info("runtime_retried", candidate=candidate.key)
        found = self._measuring.works_again(wanted.loaded.bundle, candidate, lambda: self._superseded(wanted, stop))
        if self._superseded(wanted, stop):
            return
        if found.failure is None:
            self._breaker.forgive(candidate.key)
            self._cache.forget(self._fingerprint)
            self._done = None
            return
        self._known[candidate.key] = found
        self._switching.failed(candidate, found.failure.reason, found.failure.trouble)
        self._decide(wanted, here)

    def _superseded(self, wanted: RuntimeWish | None, stop: threading.Event) -> bool:
        self._alive.beat()
        self._take_failures()
        return stop.is_set() or self._wanted is not wanted

    def _take_failures(self) -> None:
        """What the inference thread had to say; the frame itself was answered where another engine stood by."""
        while True:
            try:
                model, error = self._load.failures.get_nowait()
            except queue.Empty:
                return
            wanted = self._wanted
            if not self._switching.blame(model, str(error), error.slug):
                continue
            if wanted is not None and wanted is self._done:
                self._decide(wanted, self._here(wanted))
            else:
                self.report.update(serving=self._serving(), breaker=opened(self._breaker.troubles(), time.time()))

    def _here(self, wanted: RuntimeWish) -> Here:
        return self._look(wanted.loaded, wanted.config, wanted.objective)

    def _look(self, loaded: LoadedBundle, config: InferenceConfig, objective: Objective) -> Here:
        """What this machine has, looked at once a bundle. A software model serves only who requires it."""
        remote = None if config.runtime.remote is None else config.runtime.remote.options()
        asked = tuple(sorted((remote or {}).items()))
        key = (loaded.bundle.digest, config.threads, not objective.require.names_nothing(), asked)
        with self._lock:
            known = self._looked.get(key)
        if known is None:
            known = candidates_here(loaded.bundle, config.threads, emulation=key[2], remote=remote)
            with self._lock:
                self._looked = {**self._looked, key: known}
        return known

    def _serving(self) -> Serving | None:
        serving = self._models.serving
        if serving is None:
            return None
        candidate = serving.engine.candidate
        return serving_of(candidate, self._known.get(candidate.key), isolated=serving.isolated)

    def _mark_unmet(self, wanted: RuntimeWish, why: str) -> None:
        """Not ready while something else than what is required answers."""
        serving, require = self._models.serving, wanted.objective.require
        served = serving is not None and serving is not self._switching.blamed
        if require.names_nothing() or (served and serving is not None and require.all_of(serving.engine.candidate)):
            self._service.health.ready("inference.runtime")
            return
        self._service.health.not_ready("inference.runtime", why)


def _required(wanted: RuntimeWish, why: str) -> str:
    return f"required {wanted.objective.require.in_words()}, and {why}"
