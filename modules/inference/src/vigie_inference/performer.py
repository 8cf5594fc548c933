"""Does what the control plane decided: looks, measures, opens, writes down, tells. For the thread of the runtime."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from vigie.log import get_logger
from vigie.runtimes.choosing.breaker import Breaker
from vigie.runtimes.choosing.decision_cache import DecisionCache
from vigie.runtimes.choosing.fingerprint import fingerprint
from vigie.runtimes.measuring.measure import MeasureProgress
from vigie_inference.canary import Canary
from vigie_inference.control import effects, events
from vigie_inference.control.state import ControlState, InForce, Sight, Wish
from vigie_inference.engines import Engines
from vigie_inference.load import Load
from vigie_inference.looking import Looking
from vigie_inference.measuring import Measuring
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.preparing import Preparing
from vigie_inference.runtime_report import RuntimeReport
from vigie_inference.runtime_state import Serving, in_order, opened, serving_of
from vigie_inference.seats.seat_service import SeatService
from vigie_inference.switching import Switching

log = get_logger("inference")

# Asks whether work for this wish is to be given up; takes what came meanwhile.
GivenUp = Callable[[Wish | None], bool]


class Performer:
    """``report``, ``engines``, ``preparing``, ``looking``, ``breaker`` and ``cache`` serve other threads too."""

    def __init__(
        self, service: SeatService, models: ModelsInService, load: Load, alone: threading.Lock, folder: Path
    ) -> None:
        """``alone``: see ``Measuring``. ``folder``: of breakers, measurements and compiled engines."""
        self._service, self._models, self._load = service, models, load
        self.cache, self.breaker = DecisionCache(folder), Breaker(folder, time.time())
        self.looking, self.report = Looking(), RuntimeReport(service)
        self.engines = Engines(self.breaker, service.fail)
        self._measuring = Measuring(self.cache, self.breaker, load, folder / "engines", alone)
        self._switching = Switching(models, self.breaker, self.report, self.engines, folder / "engines")
        self._canary = Canary(models, load, service.metrics)
        self.preparing = Preparing(
            self.cache,
            self._measuring,
            self.breaker,
            load,
            look=self.looking.at,
            failed=lambda one, failure: self._switching.failed(one, failure.reason, failure.trouble),
        )

    def sight(self) -> Sight:
        serving = self._models.serving
        in_force = None
        if serving is not None:
            in_force = InForce(serving, serving.loaded, serving.engine.candidate, serving.isolated)
        return Sight(
            now_s=time.time(),
            monotonic_s=time.monotonic(),
            in_force=in_force,
            queueing=self._load.queueing(),
            saving=self._load.saving,
            hung=serving is not None and self.breaker.has_hung(serving.bundle.digest),
            troubles=self.breaker.troubles(),
        )

    def perform(  # noqa: PLR0911 - one answer per effect
        self, effect: effects.Effect, state: ControlState, given_up: GivenUp
    ) -> events.Event | None:
        """Returns: the answer of an effect that has one."""
        match effect:
            case effects.LookAt(wish):
                return self._look(wish)
            case effects.MeasureAll():
                return self._measure(effect, given_up)
            case effects.OpenEngine(wish, candidate, known):
                return self._switching.open(wish, candidate, known)
            case effects.TryAgain(wish, candidate):
                bundle = wish.loaded.bundle
                return events.TriedAgain(
                    wish, candidate, self._measuring.works_again(bundle, candidate, lambda: given_up(wish))
                )
            case effects.Prepare():
                self.preparing.attend(lambda: given_up(state.wish))
                return events.Prepared()
            case effects.Decide():
                return events.Reconsider()
            case _:
                self._write(effect)
                self._tell(effect, state)
                return None

    def _look(self, wish: Wish) -> events.LookedAt:
        here = self.looking.at(wish.loaded, wish.config, wish.objective)
        mark = fingerprint(wish.loaded.bundle, here.facts)
        entry = self.cache.load(mark)
        # What is not complete lies on the disk all the same: measuring goes on from there.
        return events.LookedAt(wish, here, mark, entry if entry is not None and entry.complete else None)

    def _measure(self, effect: effects.MeasureAll, given_up: GivenUp) -> events.AllMeasured:
        wish = effect.wish

        def progressed(now: MeasureProgress) -> None:
            if not given_up(wish):
                self.report.progressed(now)

        decision = self._measuring.all_of(
            wish.loaded.bundle,
            effect.candidates,
            effect.fingerprint,
            progress=progressed,
            stop=lambda: given_up(wish),
        )
        return events.AllMeasured(wish, effect.candidates, decision)

    def _write(self, effect: effects.Effect) -> None:
        match effect:
            case effects.WriteFailure(candidate, reason, kind):
                self._switching.failed(candidate, reason, kind)
            case effects.Forgive(key):
                self.breaker.forgive(key)
            case effects.Survived():
                self.breaker.settled()
            case effects.ForgetMeasurements(mark):
                self.cache.forget(mark)
            case effects.CheckAnswers(minutes):
                self._canary.look(minutes)

    def _tell(self, effect: effects.Effect, state: ControlState) -> None:
        health = self._service.health
        match effect:
            case effects.TellReady(""):
                health.ready("inference.runtime")
            case effects.TellReady(why):
                health.not_ready("inference.runtime", why)
            case effects.Tell.NOTHING:
                self.report.nothing()
            case effects.Tell.MEASURING if state.wish is not None:
                self.report.update(phase="measuring", objective=state.wish.objective.kind, serving=self._serving(state))
            case effects.Tell.TROUBLE:
                self.report.update(serving=self._serving(state), breaker=opened(self.breaker.troubles(), time.time()))
            case effects.Tell.SERVING:
                if (serving := self._models.serving) is not None:
                    self.report.serves(serving, state.known.get(serving.engine.candidate.key))
            case effects.Tell.DECISION if state.wish is not None:
                self._tell_decision(state.wish, state)
            case effects.Log(event, fields):
                log.info(event, **fields)

    def _tell_decision(self, wish: Wish, state: ControlState) -> None:
        choice, order, serving = state.choice, state.order, self._serving(state)
        reasons = choice.reasons if choice.ranking else ("nothing was compared: see 'measured' and 'rejected'",)
        if not choice.ranking and len(order) == 1:
            reasons = ("one candidate may serve: there is nothing to choose",)
        self.report.update(
            phase="degraded" if state.degraded or choice.unmet else "settled",
            objective=wish.objective.kind,
            serving=serving,
            chosen=order[0].key if order else "",
            reasons=reasons,
            unmet=choice.unmet,
            cached=state.cached,
            measured_at=state.measured_at,
            fingerprint=state.fingerprint[:12],
            progress=None,
            measured=in_order(dict(state.known), choice),
            rejected=choice.rejected,
            breaker=opened(self.breaker.troubles(), time.time()),
            energy=next((one.figures.meter for one in choice.ranking if one.figures.meter), "unavailable"),
        )
        log.info(
            "runtime_settled",
            model=wish.loaded.spec.version,
            candidate=None if serving is None else serving.candidate,
            verdict=None if serving is None else serving.verdict,
            reasons=reasons,
            rejected=[f"{one.candidate}: {one.reason}" for one in choice.rejected if one.candidate in state.known],
        )

    def _serving(self, state: ControlState) -> Serving | None:
        serving = self._models.serving
        if serving is None:
            return None
        candidate = serving.engine.candidate
        return serving_of(candidate, state.known.get(candidate.key), isolated=serving.isolated)
