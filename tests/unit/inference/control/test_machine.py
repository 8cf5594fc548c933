"""The control plane as a state machine: whatever comes in whatever order, what must hold holds.

The rules are the real ones; the machine around them opens, measures, fails and forgets as it is told. Three mistakes
are seeded, and each has to be found.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from support.control_world import ALL, HERE, World, a_bundle, a_wish
from vigie.runtimes.choosing.objective import Objective, Selection
from vigie.runtimes.engines.opening import is_safe
from vigie_inference.control.effects import Effect, MeasureAll, OpenEngine, WriteFailure
from vigie_inference.control.events import AllMeasured, EngineFailed, Event, MeasureAgain, Tick, WishChanged
from vigie_inference.control.rules import step
from vigie_inference.control.state import ControlState, Sight

STEPS = settings(
    max_examples=200, stateful_step_count=40, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip

SELECTIONS = st.sampled_from(
    [Selection(), Selection(devices=("CPU",)), Selection(engines=("openvino",)), Selection(devices=("HTP", "GPU"))]
)


class Machine(RuleBasedStateMachine):
    """``mistake``: which of the seeded ones the rules make."""

    mistake = ""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self._step)
        self.failed: object | None = None

    def _step(self, state: ControlState, event: Event, sight: Sight) -> tuple[ControlState, list[Effect]]:
        if self.mistake == "forgets who is blamed" and isinstance(event, EngineFailed):
            return step(state, replace(event, model=None), sight)  # type: ignore[arg-type] # that is the mistake
        if self.mistake == "takes another's answer" and isinstance(event, AllMeasured) and state.wish is not None:
            event = replace(event, wish=state.wish)
        if self.mistake == "tries what is left alone":
            sight = replace(sight, troubles={})
        after, effects = step(state, event, sight)
        self._check(after, effects, sight)
        return after, effects

    def _check(self, state: ControlState, effects: list[Effect], sight: Sight) -> None:
        answering = [one for one in effects if isinstance(one, OpenEngine | MeasureAll)]
        assert len(answering) <= 1
        for one in answering:
            assert effects[-1] is one, "what answers comes last"
            assert one.wish is state.wish, "nothing is begun for a wish that is gone"
        for one in effects:
            if not isinstance(one, OpenEngine):
                continue
            objective, candidate = one.wish.objective, one.candidate
            assert not objective.forbid.any_of(candidate)
            assert objective.require.all_of(candidate) or (state.last_resort and is_safe(candidate))
            trouble = self.world.troubles.get(candidate.key)
            closed = trouble is None or self.world.now_s >= trouble.retry_at_s
            assert closed or state.last_resort, "it failed, and its breaker is open"
            assert sight.in_force is not None
            assert sight.in_force.loaded is one.wish.loaded

    # --- what others do

    @rule(require=SELECTIONS, forbid=st.sampled_from([Selection(), Selection(devices=("HTP",))]), anew=st.booleans())
    def wish(self, require: Selection, forbid: Selection, *, anew: bool) -> None:
        """``anew``: for another model, which another thread lets serve first."""
        world = self.world
        if anew or world.in_force is None:
            world.loaded = a_bundle()
            world.measured, world.on_disk = {}, False
            world.place()
        if require == Selection(devices=("HTP", "GPU")) and forbid != Selection():
            forbid = Selection()
        world.feed(WishChanged(a_wish(world.loaded, Objective(kind="latency", require=require, forbid=forbid))))

    @rule()
    def no_model(self) -> None:
        self.world.in_force = None
        self.world.feed(WishChanged(None))

    @precondition(lambda self: self.world.in_force is not None)
    @rule(kind=st.sampled_from(["engine-hung", "engine-died", "engine-output"]))
    def fail(self, kind: str) -> None:
        world = self.world
        assert world.in_force is not None
        self.failed = world.in_force.model
        known = self.failed is world.state.blamed
        before = len(world.told)
        candidate = world.in_force.candidate
        world.fail(kind)
        written = [one for one in world.told[before:] if isinstance(one, WriteFailure) and one.candidate == candidate]
        assert known or written, "a failure opens the breaker"

    @rule(candidate=st.sampled_from(ALL), breaks=st.booleans())
    def change(self, *, candidate: object, breaks: bool) -> None:
        """A driver is taken away or comes back."""
        key = candidate.key  # type: ignore[attr-defined] # a candidate
        (self.world.broken.add if breaks else self.world.broken.discard)(key)

    @rule(candidate=st.sampled_from(ALL), ms=st.sampled_from([1.0, 4.0, 8.0]))
    def speed(self, candidate: object, ms: float) -> None:
        self.world.ms[candidate.key] = ms  # type: ignore[attr-defined] # a candidate

    @rule()
    def measure_again(self) -> None:
        self.world.feed(MeasureAgain())

    @rule(passed_s=st.sampled_from([1.0, 31.0, 4000.0]))
    def tick(self, passed_s: float) -> None:
        self.world.now_s += passed_s
        if not self.world.under_way:  # the one thread is busy
            self.world.feed(Tick())

    @rule(prepares=st.booleans())
    def ask(self, *, prepares: bool) -> None:
        self.world.prepares = prepares

    @precondition(lambda self: self.world.under_way)
    @rule()
    def finish(self) -> None:
        self.world.finish()

    # --- what holds at any time

    @invariant()
    def one_thing_is_done_at_a_time(self) -> None:
        assert len(self.world.under_way) <= 1

    @invariant()
    def it_is_settled_or_something_is_under_way(self) -> None:
        assert self.world.state.settled or self.world.under_way

    @invariant()
    def a_broken_engine_serves_only_where_no_other_may(self) -> None:
        world, state = self.world, self.world.state
        if (
            state.wish is None
            or not state.settled
            or world.in_force is None
            or world.in_force.loaded is not state.wish.loaded
        ):
            return
        if world.in_force.model is not self.failed:
            return
        tried = {one.candidate.key for one in world.told if isinstance(one, OpenEngine)}
        safe = {one.key for one in HERE.candidates if is_safe(one) and not state.wish.objective.forbid.any_of(one)}
        assert safe <= tried, "a safe one is better than none"

    @invariant()
    def what_serves_is_the_best_that_could_be_opened(self) -> None:
        world, state = self.world, self.world.state
        if state.wish is None or not state.settled or state.degraded or not state.order or world.in_force is None:
            return
        if world.in_force.loaded is state.wish.loaded and world.in_force.model is not state.blamed:
            assert world.in_force.candidate == state.order[0]

    @invariant()
    def what_was_measured_last_is_what_is_known(self) -> None:
        world, state = self.world, self.world.state
        if state.wish is not None and state.settled and world.on_disk and not world.under_way:
            assert dict(state.known) == world.measured

    @invariant()
    def ready_is_told_as_it_is(self) -> None:
        world, state = self.world, self.world.state
        if state.wish is None or not state.settled or state.work != "nothing":
            return
        require, sound = state.wish.objective.require, state.sound(world.sight())
        meets = require.names_nothing() or (sound is not None and require.all_of(sound.candidate))
        assert (world.ready == "") is meets


def test_whatever_comes_one_engine_serves_and_it_is_the_best_that_works() -> None:
    run_state_machine_as_test(Machine, settings=STEPS)  # type: ignore[no-untyped-call] # hypothesis has none here


@pytest.mark.parametrize("mistake", ["forgets who is blamed", "takes another's answer", "tries what is left alone"])
def test_a_seeded_mistake_is_found(mistake: str) -> None:
    broken = type("Broken", (Machine,), {"mistake": mistake})
    with pytest.raises(AssertionError):
        run_state_machine_as_test(broken, settings=STEPS)  # type: ignore[no-untyped-call] # hypothesis has none here
