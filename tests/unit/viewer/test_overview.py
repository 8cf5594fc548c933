"""What happened and how fast it goes, told from statuses."""

from __future__ import annotations

import json
from typing import Any

from support.viewer import module_status
from vigie.config.desired import merge
from vigie.contracts.demand import ModuleStatus
from vigie_viewer import counters
from vigie_viewer.applying import inverse
from vigie_viewer.asking import every
from vigie_viewer.overview import AWAY_S, Overview
from vigie_viewer.timeline import compare


def codes(before: Any, after: Any) -> list[str]:
    return [event.code for event in compare(before, after, 1)]


def test_a_first_status_is_no_event() -> None:
    assert codes(None, module_status("camera")) == []


def test_what_the_cloud_changed_is_shown_path_by_path() -> None:
    before = module_status("inference", desired={"score": 0.4, "classes": ["nut"]})
    after = module_status("inference", twin_version=2, desired={"score": 0.6, "classes": ["nut"]})
    (event,) = compare(before, after, 7)
    assert (event.code, event.at, event.facts["version"]) == ("twin", 7, 2)
    assert event.facts["changes"] == [{"path": "score", "from": "0.4", "to": "0.6"}]


def test_a_refusal_is_an_event_with_its_reason_once() -> None:
    before = module_status("sync")
    refused = {"batch_items": {"value": 50, "ac": 400, "av": 3, "ad": "$.batch_items: expected 1..1000"}}
    after = module_status("sync", reported=refused)
    assert codes(before, after) == ["refused"]
    assert codes(after, after) == []


def test_a_dead_camera_and_its_return_are_events_with_their_cause() -> None:
    live = module_status("camera", reported={"camera_state": {"dock": {"state": "streaming"}}})
    dead = module_status("camera", reported={"camera_state": {"dock": {"state": "failed", "reason": "refused"}}})
    (event,) = compare(live, dead, 1)
    assert (event.code, event.tone) == ("camera", "bad")
    assert event.facts == {"camera": "dock", "state": "failed", "reason": "refused"}
    assert [one.tone for one in compare(dead, live, 1)] == ["good"]


def test_a_restart_is_one_event_and_its_counters_do_not_make_a_rate() -> None:
    assert codes(module_status("sync"), module_status("sync", boot="00000002", twin_version=9)) == ["restarted"]
    overview, _, now = recorded()
    overview.take(module_status("camera", metrics={'vigie_frames_captured_total{camera="dock"}': 1e6}))
    now[0] += 2
    overview.take(module_status("camera", boot="00000002", metrics={'vigie_frames_captured_total{camera="dock"}': 5}))
    assert overview.rates.captured == {}


def recorded() -> tuple[Any, ...]:
    now, told = [100.0], []
    overview = Overview(clock=lambda: now[0], wall=lambda: 1_000.0 + now[0])
    overview.tell = lambda text: told.append(json.loads(text))
    return overview, told, now


def sync_delays(boot: str, **counts: int) -> ModuleStatus:
    bounds = {"a": "0.01", "b": "0.02", "c": "+Inf"}
    name = "vigie_delay_seconds_bucket"
    metrics = {f'{name}{{le="{bounds[key]}",stage="sync"}}': count for key, count in counts.items()}
    return module_status("sync", boot=boot, metrics={**metrics, f'{name}{{le="0.01",stage="inference"}}': 99})


def test_delays_are_those_of_the_last_minute_and_begin_anew_with_the_module() -> None:
    overview, told, now = recorded()

    def shown() -> list[float | None]:
        overview.beat(watched=True)
        now[0] += 40
        return next(one for one in reversed(told) if one["kind"] == "numbers")["latency_ms"]

    overview.take(sync_delays("00000001", a=1000, b=1000, c=1000))
    assert shown() == [None, None], "of before the first look nothing is known"
    overview.take(sync_delays("00000001", a=1000, b=1100, c=1100))
    assert shown() == [15.0, 19.5]
    overview.take(sync_delays("00000001", a=1100, b=1200, c=1200))
    assert shown() == [5.0, 9.5], "the first look is older than a minute"
    overview.take(sync_delays("00000002", a=0, b=10, c=10))
    assert shown() == [15.0, 19.5]


def test_rates_are_growth_per_second_by_camera() -> None:
    overview, _, now = recorded()
    for captured in (100, 160):
        overview.take(module_status("camera", metrics={'vigie_frames_captured_total{camera="dock"}': captured}))
        now[0] += 2
    assert overview.rates.captured == {"dock": 30.0}


def test_a_module_that_stops_answering_is_away_and_comes_back_by_itself() -> None:
    overview, told, now = recorded()
    overview.take(module_status("sync"))
    now[0] += AWAY_S + 1
    overview.beat(watched=True)
    assert [one["away"] for one in told if one["kind"] == "module"] == [False, True]
    overview.take(module_status("sync"))
    assert [one["away"] for one in told if one["kind"] == "module"] == [False, True, False]
    events = [event["code"] for one in told if one["kind"] == "events" for event in one["events"]]
    assert events == ["away", "back"]


def test_a_module_is_told_again_only_when_something_is_new() -> None:
    overview, told, now = recorded()
    for uptime in (1.0, 3.0, 5.0):
        now[0] += 2
        overview.take(module_status("sync", uptime_s=uptime))
    assert [one["kind"] for one in told] == ["module"]


def test_drops_are_told_by_module_and_reason() -> None:
    overview, told, now = recorded()
    overview.take(
        module_status("camera", metrics={'vigie_items_dropped_total{camera="dock",reason="consumer_behind"}': 4})
    )
    now[0] += 2
    overview.take(
        module_status("camera", metrics={'vigie_items_dropped_total{camera="dock",reason="consumer_behind"}': 10})
    )
    overview.beat(watched=True)
    assert told[-1]["dropped"] == [{"module": "camera", "reason": "consumer_behind", "total": 10, "per_s": 3.0}]


def test_labels_with_quotes_and_commas_are_read_whole() -> None:
    metrics = {'x_total{camera="a,b",reason="say \\"no\\""}': 2.0, "x_total_more": 9.0}
    assert counters.by_label(metrics, "x_total", "camera") == {"a,b": 2.0}
    assert counters.total(metrics, "x_total") == 2.0


def test_claims_are_asked_for_no_more_often_than_needed_and_no_less() -> None:
    assert every(30.0, 30.0, 10.0) == 2
    assert every(30.0, 12.0, 10.0) == 1  # inference takes a third: every second claim would lose half of those
    assert every(240.0, 240.0, 10.0) == 16
    assert every(0.0, 0.0, 10.0) == 1


def test_the_inverse_of_a_patch_restores_the_document() -> None:
    before = {"cameras": {"dock": {"fps": 5, "source": "a"}}, "linger_ms": 2}
    patches = [
        {"cameras": {"dock": {"fps": 9, "loop": True}}},
        {"cameras": {"new": {"source": "b"}}},
        {"linger_ms": None, "other": {"a": {"b": 1}}},
        {"cameras": None},
        {"linger_ms": {"now": "an object"}},
    ]
    for patch in patches:
        assert merge(merge(before, patch), inverse(before, patch)) == before, patch


def test_a_hub_that_the_viewer_cannot_reach_is_told_at_once_and_is_no_fault_of_the_modules() -> None:
    overview, told, now = recorded()
    overview.link(up=False)  # it has not connected yet: no news
    overview.link(up=True)
    overview.take(module_status("sync"))
    told.clear()
    now[0] += 2
    overview.link(up=False)
    assert [one["hub"]["viewer"] for one in told if one["kind"] == "numbers"] == [False]
    now[0] += 60
    overview.beat(watched=True)
    overview.link(up=True)
    overview.beat(watched=True)  # there was no time to answer yet
    codes = [event["code"] for one in told if one["kind"] == "events" for event in one["events"]]
    assert codes == ["hub_away", "hub_back"]
    now[0] += AWAY_S + 0.1
    overview.beat(watched=True)
    assert told[-1]["kind"] == "numbers"
    assert [event["code"] for one in told if one["kind"] == "events" for event in one["events"]][-1] == "away"
