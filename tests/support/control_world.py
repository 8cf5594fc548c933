"""A machine for the rules of the runtime's control plane: candidates that open, measure and fail as they are told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, cast

import msgspec

from vigie.runtimes import Candidate
from vigie.runtimes.candidate import cpu_candidate
from vigie.runtimes.choosing.breaker import Trouble, pause_s
from vigie.runtimes.choosing.candidates_here import Here
from vigie.runtimes.choosing.decision_cache import CachedDecision
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.engines.opening import is_safe
from vigie.runtimes.measuring.measurement import Failure, Measured, ProcessTrial
from vigie_inference.config import InferenceConfig
from vigie_inference.control import effects, events
from vigie_inference.control.rules import step
from vigie_inference.control.state import ControlState, InForce, Sight, Wish
from vigie_inference.serving import LoadedBundle, ServingModel

CPU = cpu_candidate("fp32", 1)
CPU_2 = cpu_candidate("fp32", 2)
GPU = Candidate("openvino", "openvino", "GPU", "fp16", 1)
NPU = Candidate("onnxruntime", "qnn-htp", "HTP", "a16w8", 1)
ALL = (CPU, CPU_2, GPU, NPU)
HERE = Here(ALL)

Step = Callable[[ControlState, events.Event, Sight], tuple[ControlState, list[effects.Effect]]]


def a_bundle() -> LoadedBundle:
    return cast("LoadedBundle", object())


def a_model() -> ServingModel:
    return cast("ServingModel", object())


def a_wish(loaded: LoadedBundle, objective: Objective | None = None, **runtime: Any) -> Wish:
    config = msgspec.convert({"runtime": runtime}, InferenceConfig)
    return Wish(loaded, config, objective or Objective(kind="latency"))


def figures(candidate: Candidate, ms: float) -> Measured:
    trial = ProcessTrial(
        load_s=0.1, first_ms=ms, runs=9, p50_ms=ms, p95_ms=ms, p99_ms=ms, per_s=1000 / ms, cpu_ms=ms, pss_mb=9.0
    )
    return Measured(candidate, (trial,) * 3)


def no_figures(candidate: Candidate) -> Measured:
    return Measured(candidate, (), failure=Failure("crashed", "SIGSEGV"))


class World:
    """Performs effects at once, but for measuring and trying again: those wait in ``under_way`` for ``finish``.

    ``ms``: what a candidate takes; ``broken``: those that neither open nor measure. ``told``: effects, newest last.
    """

    def __init__(self, rules: Step = step) -> None:
        self.rules = rules
        self.state = ControlState()
        self.now_s = 1_000_000.0
        self.loaded = a_bundle()
        self.in_force: InForce | None = None
        self.ms = {CPU.key: 9.0, CPU_2.key: 6.0, GPU.key: 3.0, NPU.key: 2.0}
        self.broken: set[str] = set()
        self.troubles: dict[str, Trouble] = {}
        self.measured: dict[str, Measured] = {}
        self.on_disk = False
        self.under_way: list[effects.MeasureAll | effects.TryAgain | effects.Prepare] = []
        self.told: list[effects.Effect] = []
        self.ready = ""
        self.prepares = False
        self.queueing = self.saving = False

    def place(self, candidate: Candidate = CPU) -> None:
        """Another thread lets the bundle serve with the engine that answers first."""
        self.in_force = InForce(a_model(), self.loaded, candidate, not is_safe(candidate))

    def sight(self) -> Sight:
        return Sight(
            self.now_s, self.now_s, self.in_force, self.queueing, self.saving, hung=False, troubles=dict(self.troubles)
        )

    def feed(self, event: events.Event) -> None:
        todo = deque([event])
        while todo:
            self.state, then = self.rules(self.state, todo.popleft(), self.sight())
            for effect in then:
                self.told.append(effect)
                answer = self.perform(effect)
                if answer is not None:
                    todo.append(answer)

    def fail(self, kind: str = "engine-hung") -> None:
        """The serving engine fails on a frame."""
        assert self.in_force is not None
        self.feed(events.EngineFailed(self.in_force.model, self.in_force.candidate, "it hung", kind))

    def finish(self) -> None:
        """What is under way ends; work for a wish that is gone was given up."""
        effect = self.under_way.pop()
        match effect:
            case effects.MeasureAll(wish, candidates, _):
                decision = None
                if wish is self.state.wish:
                    self.measured |= {one.key: self._measure(one) for one in candidates}
                    self.on_disk = True
                    decision = CachedDecision("here", "model", "now", tuple(self.measured.values()))
                self.feed(events.AllMeasured(wish, candidates, decision))
            case effects.TryAgain(wish, candidate):
                found = self._measure(candidate)
                if wish is self.state.wish and found.failure is not None:
                    self.measured[candidate.key] = found
                self.feed(events.TriedAgain(wish, candidate, found))
            case effects.Prepare():
                self.feed(events.Prepared())

    def perform(self, effect: effects.Effect) -> events.Event | None:
        match effect:
            case effects.LookAt(wish):
                known = tuple(self.measured.values())
                decision = CachedDecision("here", "model", "now", known) if self.on_disk else None
                return events.LookedAt(wish, HERE, "here", decision)
            case effects.MeasureAll() | effects.TryAgain():
                self.under_way.append(effect)
            case effects.Prepare() if self.prepares:
                self.under_way.append(effect)
            case effects.Prepare():
                return events.Prepared()
            case effects.OpenEngine():
                return self._open(effect)
            case effects.Decide():
                return events.Reconsider()
            case _:
                self._note(effect)
        return None

    def _note(self, effect: effects.Effect) -> None:
        match effect:
            case effects.WriteFailure(candidate, reason, kind):
                before = self.troubles.get(candidate.key)
                failures = 1 if before is None else before.failures + 1
                self.troubles[candidate.key] = Trouble(failures, reason, self.now_s + pause_s(failures), kind)
            case effects.Forgive(key):
                self.troubles.pop(key, None)
            case effects.ForgetMeasurements():
                self.measured, self.on_disk = {}, False
            case effects.TellReady(why):
                self.ready = why

    def _measure(self, candidate: Candidate) -> Measured:
        return no_figures(candidate) if candidate.key in self.broken else figures(candidate, self.ms[candidate.key])

    def _open(self, effect: effects.OpenEngine) -> events.EngineOpened:
        if self.in_force is None or self.in_force.loaded is not effect.wish.loaded:
            return events.EngineOpened(effect.wish, effect.candidate, events.Opening.LOST)
        if effect.candidate.key in self.broken:
            return events.EngineOpened(effect.wish, effect.candidate, events.Opening.REFUSED, "no driver", "provider")
        self.in_force = InForce(a_model(), self.loaded, effect.candidate, not is_safe(effect.candidate))
        return events.EngineOpened(effect.wish, effect.candidate, events.Opening.SERVES)
