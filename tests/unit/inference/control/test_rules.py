"""The rules of the runtime's control plane, event by event: no thread, no process, no clock."""

from __future__ import annotations

import pytest

from support.control_world import ALL, CPU, CPU_2, GPU, NPU, World, a_bundle, a_wish, figures
from vigie.runtimes import Candidate
from vigie.runtimes.choosing.breaker import FIRST_PAUSE_S, FORGIVEN_AFTER_S
from vigie.runtimes.choosing.objective import Objective, Selection
from vigie_inference.control import effects, events
from vigie_inference.control.rules import PROBATION_S, step


def kinds(world: World) -> list[str]:
    return [str(one) if isinstance(one, effects.Tell) else type(one).__name__ for one in world.told]


def opened(world: World) -> list[Candidate]:
    return [one.candidate for one in world.told if isinstance(one, effects.OpenEngine)]


def settled(objective: Objective | None = None, **runtime: object) -> World:
    """A world in which everything was measured and the best serves."""
    world = World()
    world.place()
    world.feed(events.WishChanged(a_wish(world.loaded, objective, **runtime)))
    while world.under_way:
        world.finish()
    assert world.state.settled
    world.told.clear()
    return world


def serves(world: World) -> Candidate:
    assert world.in_force is not None
    return world.in_force.candidate


def test_a_wish_is_looked_at_measured_and_decided_and_the_best_serves() -> None:
    world = World()
    world.place()
    world.feed(events.WishChanged(a_wish(world.loaded)))
    assert kinds(world) == ["LookAt", "TellReady", "Tell.MEASURING", "Log", "MeasureAll"]
    assert not world.state.settled
    assert serves(world) == CPU, "what answers first goes on answering"
    world.finish()
    assert kinds(world)[5:] == ["OpenEngine", "TellReady", "Tell.DECISION"]
    assert (serves(world), world.state.settled, world.state.degraded) == (NPU, True, False)
    assert [one.candidate for one in world.state.choice.ranking] == [NPU, GPU, CPU_2, CPU]


def test_what_is_known_from_the_disk_is_not_measured_again() -> None:
    world = World()
    world.place()
    world.measured, world.on_disk = {one.key: figures(one, world.ms[one.key]) for one in ALL}, True
    world.feed(events.WishChanged(a_wish(world.loaded)))
    assert (world.under_way, world.state.cached, serves(world)) == ([], True, NPU)


def test_with_measuring_off_what_answers_first_goes_on() -> None:
    world = World()
    world.place()
    world.feed(events.WishChanged(a_wish(world.loaded, measure="off")))
    assert opened(world) == []
    assert (serves(world), world.state.settled, world.state.order) == (CPU, True, (CPU, CPU_2))


def test_a_candidate_that_does_not_open_is_written_down_and_the_next_serves() -> None:
    world = World()
    world.place()
    world.feed(events.WishChanged(a_wish(world.loaded)))
    world.finish()
    world.told.clear()
    world.broken = {NPU.key}
    world.place()
    world.feed(events.WishChanged(a_wish(world.loaded)))
    assert opened(world) == [NPU, GPU]
    assert effects.WriteFailure(NPU, "no driver", "provider") in world.told
    assert world.troubles[NPU.key].retry_at_s == world.now_s + FIRST_PAUSE_S
    assert (serves(world), world.state.degraded) == (GPU, True)


def test_a_failure_in_service_opens_the_breaker_and_the_next_best_takes_over_once() -> None:
    world = settled()
    assert world.in_force is not None
    failed = world.in_force
    world.fail()
    assert kinds(world) == ["WriteFailure", "Decide", "OpenEngine", "TellReady", "Tell.DECISION"]
    assert (serves(world), world.state.degraded) == (GPU, True)
    assert world.troubles[NPU.key].kind == "engine-hung"
    world.told.clear()
    world.in_force, now = failed, world.in_force  # a frame that was in hand tells of the same engine
    world.fail()
    world.in_force = now
    assert world.told == [], "it is known"


def test_a_failure_while_it_is_measured_is_written_down_and_decided_on_after() -> None:
    world = World()
    world.place()
    world.feed(events.WishChanged(a_wish(world.loaded)))
    world.fail("engine-output")
    assert kinds(world)[-2:] == ["WriteFailure", "Tell.TROUBLE"]
    world.finish()
    assert (serves(world), world.state.settled) == (NPU, True)


def test_when_nothing_that_may_be_chosen_serves_a_safe_engine_is_better_than_none() -> None:
    world = settled(Objective(kind="latency", require=Selection(engines=("openvino",))))
    assert (serves(world), world.ready) == (GPU, "")
    world.fail()
    assert serves(world) == CPU
    assert world.state.degraded
    assert world.ready.startswith("required engine openvino")


def test_what_is_forbidden_is_no_last_resort() -> None:
    forbid = Selection(providers=("cpu",))
    world = settled(Objective(kind="latency", require=Selection(engines=("openvino",)), forbid=forbid))
    world.fail()
    assert opened(world) == []
    assert serves(world) == GPU


def test_a_failed_candidate_is_left_alone_until_its_pause_is_over_then_serves_again() -> None:
    world = settled()
    world.fail()
    world.now_s += FIRST_PAUSE_S - 1
    world.feed(events.Tick())
    assert serves(world) == GPU
    world.now_s += 2
    world.feed(events.Tick())
    assert effects.Log("runtime_retried", {"candidate": NPU.key, "failures": 1}) in world.told
    assert (serves(world), world.state.degraded) == (NPU, False)


@pytest.mark.parametrize("works", [True, False])
def test_a_candidate_that_could_not_be_measured_is_tried_again(*, works: bool) -> None:
    world = World()
    world.place()
    world.broken = {NPU.key}
    world.feed(events.WishChanged(a_wish(world.loaded)))
    world.finish()
    assert (serves(world), world.troubles[NPU.key].failures) == (GPU, 1)
    world.now_s += FIRST_PAUSE_S + 1
    world.feed(events.Tick())
    [again] = world.under_way
    assert again == effects.TryAgain(world.state.wish, NPU)  # type: ignore[arg-type] # there is one
    world.broken = set() if works else world.broken
    world.finish()
    if works:
        assert effects.Forgive(NPU.key) in world.told
        assert isinstance(world.under_way[0], effects.MeasureAll), "all are measured in the same rounds"
        world.finish()
        assert serves(world) == NPU
    else:
        assert (serves(world), world.troubles[NPU.key].failures) == (GPU, 2)


def test_a_failure_while_a_candidate_is_tried_again_does_not_wait_for_that() -> None:
    world = World()
    world.place()
    world.broken = {NPU.key}
    world.feed(events.WishChanged(a_wish(world.loaded)))
    world.finish()
    world.now_s += FIRST_PAUSE_S + 1
    world.feed(events.Tick())
    assert len(world.under_way) == 1
    world.fail()
    assert serves(world) == CPU_2
    world.finish()
    assert serves(world) == CPU_2


def test_a_new_wish_supersedes_what_is_under_way_and_its_answer_counts_for_nothing() -> None:
    world = World()
    world.place()
    world.feed(events.WishChanged(a_wish(world.loaded)))
    second = a_wish(world.loaded, Objective(kind="latency", forbid=Selection(devices=("HTP",))))
    world.feed(events.WishChanged(second))
    assert len(world.under_way) == 1, "one thing at a time"
    world.finish()
    [measuring] = world.under_way
    assert isinstance(measuring, effects.MeasureAll)
    assert measuring.wish is second
    assert NPU not in measuring.candidates
    world.finish()
    assert (serves(world), world.state.settled) == (GPU, True)


def test_a_new_wish_waits_for_what_is_done_aside() -> None:
    world = settled()
    world.prepares = True
    world.feed(events.Tick())
    world.feed(events.WishChanged(a_wish(world.loaded, Objective(kind="latency", forbid=Selection(devices=("HTP",))))))
    assert not any(isinstance(one, effects.LookAt) for one in world.told)
    world.finish()
    assert (serves(world), world.state.settled) == (GPU, True)


def test_without_a_wish_nothing_is_told_to_serve_and_the_module_is_ready() -> None:
    world = settled(Objective(kind="latency", require=Selection(engines=("absent",))))
    assert world.ready
    world.feed(events.WishChanged(None))
    assert world.told[-1] == effects.Tell.NOTHING
    assert world.ready == ""
    world.told.clear()
    world.feed(events.WishChanged(None))
    assert world.told == [], "that is known"


def test_another_model_that_serves_meanwhile_is_left_to_its_own_wish() -> None:
    world = World()
    world.place()
    world.feed(events.WishChanged(a_wish(world.loaded)))
    world.loaded = a_bundle()
    world.place()
    world.finish()
    assert opened(world) == []
    assert serves(world) == CPU


def test_measure_again_measures_all_anew_and_only_when_nothing_is_under_way() -> None:
    world = settled()
    world.ms[GPU.key] = 1.0
    world.feed(events.MeasureAgain())
    assert kinds(world)[:2] == ["ForgetMeasurements", "LookAt"]
    world.feed(events.MeasureAgain())
    assert len(world.under_way) == 1
    world.finish()
    assert (serves(world), world.state.cached) == (GPU, False), "what was measured last wins"


@pytest.mark.parametrize(("queueing", "follows"), [(True, True), (False, False)])
def test_auto_follows_the_load(*, queueing: bool, follows: bool) -> None:
    world = settled(Objective(kind="auto"))
    world.queueing = queueing
    world.feed(events.Tick())
    assert (effects.Log("runtime_follows_load", {"queueing": True}) in world.told) is follows
    assert (effects.Tell.DECISION in world.told) is follows


def test_sparing_the_machine_is_decided_on() -> None:
    world = settled()
    world.saving = True
    world.feed(events.Tick())
    assert effects.Log("runtime_follows_machine", {"saving": True}) in world.told
    world.told.clear()
    world.feed(events.Tick())
    assert kinds(world) == ["CheckAnswers", "Prepare"]


def test_a_dangerous_engine_survives_its_probation_and_is_forgiven_after_an_hour() -> None:
    world = settled()
    world.now_s += PROBATION_S - 1
    world.feed(events.Tick())
    assert effects.Survived() not in world.told
    world.now_s += 2
    world.feed(events.Tick())
    assert world.told.count(effects.Survived()) == 1
    world.fail()
    world.now_s += FIRST_PAUSE_S + 1
    world.feed(events.Tick())
    assert (serves(world), NPU.key in world.troubles) == (NPU, True)
    world.now_s += FORGIVEN_AFTER_S + 1
    world.feed(events.Tick())
    assert NPU.key not in world.troubles


def test_a_tick_checks_answers_and_prepares_what_was_asked_for() -> None:
    world = settled(canary_minutes=5)
    world.feed(events.Tick())
    assert world.told == [effects.CheckAnswers(5), effects.Prepare()]


def test_work_that_breaks_down_leaves_what_serves_and_is_not_repeated_at_once() -> None:
    world = World()
    world.place()
    wish = a_wish(world.loaded)
    world.feed(events.WishChanged(wish))
    [measuring] = world.under_way
    world.under_way.clear()
    world.feed(events.WorkBroke(wish, measuring))
    assert (serves(world), world.state.settled, world.under_way) == (CPU, True, [])
    other = a_wish(world.loaded)
    world.feed(events.WishChanged(other))
    assert len(world.under_way) == 1, "a new wish is worked on"


def test_after_looking_broke_down_a_failure_makes_it_look_again_and_never_decide_on_another_models_candidates() -> None:
    world = settled()
    looking = a_wish(world.loaded)
    world.state, [look] = step(world.state, events.WishChanged(looking), world.sight())
    world.feed(events.WorkBroke(looking, look))
    assert (world.state.settled, world.told) == (True, [])
    world.fail()
    assert kinds(world) == ["WriteFailure", "Decide", "LookAt", "OpenEngine", "TellReady", "Tell.DECISION"]
    assert serves(world) == GPU
