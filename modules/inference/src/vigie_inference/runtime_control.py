"""Chooses the runtime while the module serves: measures, ranks, switches, and moves on when an engine fails.

One thread steps the rules of ``control`` and performs what they decide; whoever else has something to say puts an event
into its inbox. The inference thread answers all the time: it meets a new engine by taking the next tensor, and tells of
a failed one through ``Load``.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from dataclasses import dataclass

from vigie.log import get_logger
from vigie.runtimes.choosing.candidates_here import Here
from vigie.runtimes.choosing.choose import Ranked, choose
from vigie.runtimes.choosing.fingerprint import fingerprint
from vigie.runtimes.choosing.objective import Objective
from vigie_inference.config import InferenceConfig
from vigie_inference.control.effects import Effect
from vigie_inference.control.events import EngineFailed, Event, MeasureAgain, Tick, WishChanged, WorkBroke
from vigie_inference.control.rules import step
from vigie_inference.control.state import ControlState, Wish
from vigie_inference.first_engine import first_engine
from vigie_inference.load import Load
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.objective import objective_of
from vigie_inference.performer import Performer
from vigie_inference.seats.seat_service import SeatService
from vigie_inference.serving import LoadedBundle, ServingModel

log = get_logger("inference")

LOOK_S = 1.0
# Above the longest honest step: loading an engine that compiles itself.
STALLED_AFTER_S = 300.0


@dataclass(frozen=True, slots=True)
class _Shown:
    """What other threads see of the state: replaced as a whole. ``taken``: events of the inbox that are in it.

    ``calm``: all that they led to is done.
    """

    state: ControlState
    taken: int
    calm: bool


class RuntimeControl:
    """``run`` is the body of its own thread, which alone holds the state; the rest may be called from any thread."""

    def __init__(self, service: SeatService, models: ModelsInService, load: Load, alone: threading.Lock) -> None:
        """``alone``: see ``Measuring``."""
        self._models, self._load = models, load
        self._performer = Performer(service, models, load, alone, service.env.runtimes or service.env.state)
        self.report, self.engines = self._performer.report, self._performer.engines
        self.preparing = self._performer.preparing
        self._alive = service.health.watch("inference.runtime", STALLED_AFTER_S)
        self._lock = threading.Lock()
        self._inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._put = 0  # events into the inbox so far; under the lock
        self._shown = _Shown(ControlState(), 0, calm=True)
        # Of the thread alone.
        self._state = ControlState()
        self._taken = 0
        self._stop = threading.Event()

    def first(self, loaded: LoadedBundle, config: InferenceConfig) -> ServingModel:
        """``loaded`` with what answers until the choice is made.

        Raises: ConfigRefusedError: lists that contradict each other; an engine that this machine does not have, or
            that refuses the model.
        """
        objective, here = objective_of(config), self.check(loaded, config)
        entry = self._performer.cache.load(fingerprint(loaded.bundle, here.facts))
        candidate = first_engine(loaded.bundle, here, objective, entry, self._performer.breaker)
        return self.engines.first(loaded, candidate, config)

    def check(self, loaded: LoadedBundle, config: InferenceConfig) -> Here:
        """The candidates of this machine. Raises: ConfigRefusedError: it does not have the engine that is asked for."""
        return self._performer.looking.check(loaded, config)

    def adopt(self, loaded: LoadedBundle | None, config: InferenceConfig) -> None:
        """Choose for this bundle and configuration from now on; None: there is none."""
        self._tell(WishChanged(None if loaded is None else Wish(loaded, config, objective_of(config))))

    def serving_value(self, objective: Objective) -> Ranked | None:
        """What the serving engine costs by ``objective``, as measured; None: it was not, or nothing serves."""
        serving = self._models.serving
        known = None if serving is None else self._shown.state.known.get(serving.engine.candidate.key)
        ranking = () if known is None else choose([known], objective).ranking
        return ranking[0] if ranking else None

    def again(self) -> bool:
        """Measure the serving bundle anew; False while there is none, or its measuring is under way."""
        shown = self._shown
        if shown.state.wish is None or not self._is_settled(shown):
            return False
        self._tell(MeasureAgain())
        return True

    def idle(self) -> bool:
        """Nothing is being measured or chosen."""
        shown = self._shown
        return shown.calm and self._is_settled(shown)

    def run(self, stop: threading.Event) -> None:
        self._stop = stop
        while not stop.is_set():
            self._alive.beat()
            self._load.attention.wait(LOOK_S)
            self._load.attention.clear()
            self._take()
            if not stop.is_set():  # what the end gave up is not begun again
                self._feed(Tick())
        self._performer.breaker.settled()

    def _is_settled(self, shown: _Shown) -> bool:
        with self._lock:
            return shown.state.settled and shown.taken == self._put

    def _tell(self, event: Event) -> None:
        with self._lock:
            self._put += 1
            self._inbox.put(event)
        self._load.attention.set()

    def _take(self) -> None:
        """All that others had to say: of failed engines first, which may cost frames."""
        while True:
            try:
                model, error = self._load.failures.get_nowait()
            except queue.Empty:
                break
            self._feed(EngineFailed(model, model.engine.candidate, str(error), error.slug))
        while True:
            try:
                event = self._inbox.get_nowait()
            except queue.Empty:
                return
            self._taken += 1
            self._feed(event)

    def _feed(self, event: Event) -> None:
        """Step the rules until nothing more is to be done; may be called while an effect of a step is performed."""
        todo = deque([event])
        while todo:
            now, effects = todo.popleft(), list[Effect]()
            try:
                self._state, effects = step(self._state, now, self._performer.sight())
            except Exception:
                # What serves goes on serving: a fault in choosing must not cost the frames.
                log.exception("runtime_choice_failed")
                if not isinstance(now, WorkBroke):
                    todo.append(WorkBroke(self._state.wish, None))
            self._show(calm=False)
            todo += [answer for effect in effects if (answer := self._perform(effect)) is not None]
        self._show(calm=True)

    def _perform(self, effect: Effect) -> Event | None:
        state = self._state
        try:
            return self._performer.perform(effect, state, self._given_up)
        except Exception:
            log.exception("runtime_choice_failed")
            return WorkBroke(state.wish, effect)

    def _show(self, *, calm: bool) -> None:
        self._shown = _Shown(self._state, self._taken, calm)

    def _given_up(self, wish: Wish | None) -> bool:
        """Whether work for ``wish`` is to end; what came meanwhile is taken."""
        self._alive.beat()
        self._take()
        return self._stop.is_set() or self._state.wish is not wish
