"""The decision: rank what is known, open the best that may serve, go on to the next where one cannot."""

from __future__ import annotations

from dataclasses import replace

from vigie.runtimes import Candidate
from vigie.runtimes.choosing.choose import Rejection, choose
from vigie.runtimes.engines.opening import is_safe
from vigie_inference.control import effects, events
from vigie_inference.control.candidates import always_isolated, for_load, isolates, may_save
from vigie_inference.control.state import ControlState, Sight, Wish, Work

Step = tuple[ControlState, list[effects.Effect]]

BEING_MEASURED = "it is being measured"
NOTHING_CAN = "nothing of it can serve"


def decide(state: ControlState, wish: Wish, sight: Sight) -> Step:
    """Rank what is known and let the best that can be opened serve."""
    here = state.here
    keys = {one.key for one in here.candidates}
    left_alone = tuple(
        Rejection(key, f"failed, and is left alone for {round(one.retry_at_s - sight.now_s)} s more: {one.reason}")
        for key, one in sight.troubles.items()
        if key in keys and key not in state.known and sight.is_open(key)
    )
    known = [one for key, one in state.known.items() if key in keys]
    in_force = None if sight.in_force is None else sight.in_force.candidate
    objective = for_load(wish.objective, queueing=sight.queueing, saving=sight.saving and may_save(known, in_force))
    choice = choose(known, objective, (*here.not_here(wish.objective), *left_alone))
    order = [ranked.candidate for ranked in choice.ranking]
    # What nobody measured may serve where it cannot do harm: the only one there is, or all if measuring is off.
    unknown = [one for one in wish.allowed(here) if is_safe(one) and one.key not in state.known]
    order += sorted(unknown, key=lambda one: one != in_force)  # no switch without a reason
    state = replace(
        state,
        choice=choice,
        order=tuple(order),
        left=tuple(one for one in order if not sight.is_open(one.key)),
        last_resort=False,
        queueing=sight.queueing,
        saving=sight.saving,
    )
    return _open_next(state, wish, sight)


def opened(state: ControlState, wish: Wish, event: events.EngineOpened, sight: Sight) -> Step:
    """What ``decide`` asked for was done, or could not be."""
    if event.opening is events.Opening.SERVES:
        dangerous = not is_safe(event.candidate)
        state = replace(state, since_s=sight.monotonic_s, on_probation=dangerous)
        settled, then = _settle(state, wish, sight, event.candidate)
        return settled, [*([] if dangerous else [effects.Survived()]), *then]
    if event.opening is events.Opening.LOST:
        after, then = _open_next(state, wish, sight)
        return after, [effects.Survived(), *then]
    after, then = _open_next(state, wish, sight)
    return after, [effects.WriteFailure(event.candidate, event.reason, event.kind), *then]


def readiness(state: ControlState, wish: Wish, sight: Sight, why: str) -> effects.TellReady:
    """Not ready while something else than what is required answers."""
    require, sound = wish.objective.require, state.sound(sight)
    if require.names_nothing() or (sound is not None and require.all_of(sound.candidate)):
        return effects.TellReady()
    return effects.TellReady(why)


def required(wish: Wish, why: str) -> str:
    return f"required {wish.objective.require.in_words()}, and {why}"


def _open_next(state: ControlState, wish: Wish, sight: Sight) -> Step:
    in_force = sight.in_force
    if in_force is None or in_force.loaded is not wish.loaded:
        return _settle(state, wish, sight)  # another model serves: its wish is coming
    if not state.left:
        if state.last_resort or in_force.model is not state.blamed:
            return _settle(state, wish, sight)
        # Nothing that may be chosen can serve, and what serves is broken: a safe one is better than none.
        safe = [one for one in state.here.candidates if is_safe(one) and not wish.objective.forbid.any_of(one)]
        safe.sort(key=lambda one: sight.is_open(one.key))
        if not safe:
            return _settle(state, wish, sight)
        state = replace(state, left=tuple(safe), last_resort=True)
    candidate, *left = state.left
    state = replace(state, left=tuple(left))
    as_wanted = in_force.isolated == isolates(candidate, always=always_isolated(wish.config), hung=sight.hung)
    if in_force.candidate == candidate and as_wanted and in_force.model is not state.blamed:
        settled, then = _settle(state, wish, sight, candidate)
        return settled, [effects.Tell.SERVING, *then]
    opening = effects.OpenEngine(wish, candidate, state.known.get(candidate.key))
    return replace(state, work=Work.OPENING), [opening]


def _settle(state: ControlState, wish: Wish, sight: Sight, serves: Candidate | None = None) -> Step:
    """``serves``: what could be opened; a last resort is not what was chosen."""
    chosen, order = None if state.last_resort else serves, state.order
    state = replace(
        state,
        work=Work.NOTHING,
        settled=True,
        left=(),
        degraded=bool(order) and chosen != order[0],
    )
    why = state.choice.unmet or required(wish, NOTHING_CAN)
    return state, [readiness(state, wish, sight, why), effects.Tell.DECISION]
