"""The control plane's rules: ``step`` turns an event into the next state and what is to be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vigie.runtimes.choosing.breaker import FORGIVEN_AFTER_S
from vigie.runtimes.measuring.measurement import Measured
from vigie_inference.control import effects, events
from vigie_inference.control.candidates import to_measure
from vigie_inference.control.choosing import BEING_MEASURED, Step, decide, opened, readiness, required
from vigie_inference.control.state import NOWHERE, ControlState, Sight, Wish, Work

# An engine that ends the module does so in its first runs, if at all.
PROBATION_S = 10.0


def step(state: ControlState, event: events.Event, sight: Sight) -> Step:  # noqa: PLR0911 - one line per event
    """The state after ``event``, and the effects to perform, in order, each answered before the next event is taken.

    At most one effect of a step answers, and it is the last.
    """
    match event:
        case events.WishChanged(wish):
            return _wish_changed(state, wish)
        case events.MeasureAgain():
            return _measure_again(state)
        case events.EngineFailed():
            return _engine_failed(state, event)
        case events.Tick():
            return _tick(state, sight)
        case events.Reconsider():
            return _reconsider(state, sight)
        case events.Prepared():
            return _go_on(replace(state, aside=False))
        case events.WorkBroke():
            return _broke(state, event)
        case events.TriedAgain():
            return _tried_again(state, event)
        case events.LookedAt() | events.AllMeasured() | events.EngineOpened():
            return _answered(replace(state, work=Work.NOTHING), event, sight)


def _wish_changed(state: ControlState, wish: Wish | None) -> Step:
    had = state.wish
    state = replace(state, wish=wish, settled=wish is None)
    if wish is None:
        return state, [] if had is None else [effects.TellReady(), effects.Tell.NOTHING]
    return _go_on(state)


def _measure_again(state: ControlState) -> Step:
    if state.wish is None or not state.settled:
        return state, []
    after, then = _go_on(replace(state, wish=replace(state.wish), settled=False))
    return after, [effects.ForgetMeasurements(state.fingerprint), *then]


def _go_on(state: ControlState) -> Step:
    """Begin with the wish, unless nothing is left to do for it or something else is still being done."""
    if state.wish is None or state.settled or state.work is not Work.NOTHING or state.aside:
        return state, []
    return replace(state, work=Work.LOOKING, here=NOWHERE), [effects.LookAt(state.wish)]


def _answered(
    state: ControlState, event: events.LookedAt | events.AllMeasured | events.EngineOpened, sight: Sight
) -> Step:
    wish = state.wish
    if wish is not event.wish or wish is None:
        return _go_on(state)
    match event:
        case events.LookedAt():
            return _looked(state, wish, event, sight)
        case events.AllMeasured():
            return _measured(state, wish, event, sight)
        case events.EngineOpened():
            return opened(state, wish, event, sight)


def _looked(state: ControlState, wish: Wish, event: events.LookedAt, sight: Sight) -> Step:
    decision = event.decision
    known: Mapping[str, Measured] = {}
    if decision is not None:
        known = {one.candidate.key: one for one in decision.measured}
    state = replace(
        state,
        here=event.here,
        fingerprint=event.fingerprint,
        known=known,
        cached=decision is not None,
        measured_at="" if decision is None else decision.measured_at,
    )
    todo = to_measure(wish.allowed(event.here), known, sight.is_open, measure=wish.measures)
    if not todo:
        return decide(state, wish, sight)
    return replace(state, work=Work.MEASURING), [
        readiness(state, wish, sight, required(wish, BEING_MEASURED)),
        effects.Tell.MEASURING,
        effects.Log("runtime_measuring", {"candidates": [one.key for one in todo]}),
        effects.MeasureAll(wish, tuple(todo), event.fingerprint),
    ]


def _measured(state: ControlState, wish: Wish, event: events.AllMeasured, sight: Sight) -> Step:
    decision = event.decision
    if decision is None:
        return state, []  # the end is near; else the next tick begins again
    known = {one.candidate.key: one for one in decision.measured}
    state = replace(state, known=known, cached=False, measured_at=decision.measured_at)
    failures: list[effects.Effect] = []
    for one in event.candidates:
        failure = known[one.key].failure
        if failure is not None and failure.trouble != "refused":
            failures.append(effects.WriteFailure(one, failure.reason, failure.trouble))
    if failures:
        return state, [*failures, effects.Decide()]
    return decide(state, wish, sight)


def _engine_failed(state: ControlState, event: events.EngineFailed) -> Step:
    """The frame itself was answered where another engine stood by."""
    if event.model is state.blamed:
        return state, []
    state = replace(state, blamed=event.model, on_probation=False)
    written = effects.WriteFailure(event.candidate, event.reason, event.kind)
    if state.wish is None or not state.settled or state.work is not Work.NOTHING:
        return state, [written, effects.Tell.TROUBLE]
    return state, [written, effects.Decide()]


def _reconsider(state: ControlState, sight: Sight) -> Step:
    if state.wish is None or state.work is not Work.NOTHING:
        return state, []
    if state.here is NOWHERE:  # looking broke down
        return _go_on(replace(state, settled=False))
    return decide(state, state.wish, sight)


def _tick(state: ControlState, sight: Sight) -> Step:
    wish = state.wish
    if wish is None or not state.settled:
        after, then = _go_on(state)
        return _prepare(after, then)
    state, then = _look_after(state, sight)
    then.append(effects.CheckAnswers(wish.config.runtime.canary_minutes))
    if wish.objective.kind == "auto" and sight.queueing != state.queueing:
        return state, [*then, effects.Log("runtime_follows_load", {"queueing": sight.queueing}), effects.Decide()]
    if sight.saving != state.saving:
        return state, [*then, effects.Log("runtime_follows_machine", {"saving": sight.saving}), effects.Decide()]
    state, more = _try_again(state, wish, sight)
    return _prepare(state, [*then, *more])


def _prepare(state: ControlState, then: list[effects.Effect]) -> Step:
    """With nothing else to do, what does not serve yet is measured."""
    if not state.settled or state.aside or (then and isinstance(then[-1], effects.Decide)):
        return state, then
    return replace(state, aside=True), [*then, effects.Prepare()]


def _look_after(state: ControlState, sight: Sight) -> tuple[ControlState, list[effects.Effect]]:
    """The serving engine has lived through its first seconds, or for so long that its past is forgiven."""
    sound, then = state.sound(sight), list[effects.Effect]()
    if sound is None:
        return state, then
    served_s = sight.monotonic_s - state.since_s
    if state.on_probation and served_s > PROBATION_S:
        state = replace(state, on_probation=False)
        then.append(effects.Survived())
    if served_s > FORGIVEN_AFTER_S and sound.candidate.key in sight.troubles:
        then.append(effects.Forgive(sound.candidate.key))
    return state, then


def _try_again(state: ControlState, wish: Wish, sight: Sight) -> tuple[ControlState, list[effects.Effect]]:
    """A candidate that failed long enough ago gets another chance, the serving one apart."""
    if sight.in_force is None:
        return state, []
    allowed = {one.key: one for one in wish.allowed(state.here)}
    ranked = [one.candidate.key for one in state.choice.ranking]
    in_force, sound = sight.in_force.candidate.key, state.sound(sight) is not None
    for key, trouble in sight.troubles.items():
        if key not in allowed or sight.is_open(key) or (sound and key == in_force):
            continue
        if key in ranked:
            if not sound or in_force not in ranked or ranked.index(key) < ranked.index(in_force):
                return state, [
                    effects.Log("runtime_retried", {"candidate": key, "failures": trouble.failures}),
                    effects.Decide(),
                ]
        elif wish.measures:
            again = effects.TryAgain(wish, allowed[key])
            return replace(state, aside=True), [effects.Log("runtime_retried", {"candidate": key}), again]
    return state, []


def _broke(state: ControlState, event: events.WorkBroke) -> Step:
    """As good as done: trying it once more at once would break once more."""
    if isinstance(event.effect, effects.TryAgain | effects.Prepare):
        return _go_on(replace(state, aside=False))
    if isinstance(event.effect, effects.LookAt | effects.MeasureAll | effects.OpenEngine):
        state = replace(state, work=Work.NOTHING)
    if state.work is Work.NOTHING and state.wish is event.wish:
        state = replace(state, settled=True)
    return _go_on(state)


def _tried_again(state: ControlState, event: events.TriedAgain) -> Step:
    state = replace(state, aside=False)
    if state.wish is not event.wish:
        return _go_on(state)
    failure = event.found.failure
    if failure is None:
        after, then = _go_on(replace(state, settled=False))
        return after, [effects.Forgive(event.candidate.key), effects.ForgetMeasurements(state.fingerprint), *then]
    state = replace(state, known={**state.known, event.candidate.key: event.found})
    return state, [effects.WriteFailure(event.candidate, failure.reason, failure.trouble), effects.Decide()]
