"""What of an object goes upstream, and when."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.walks import detection, frame
from vigie.events.brief import Brief, upstream_form
from vigie.events.rules import Rules


@pytest.fixture
def told() -> list[Any]:
    """Everything that is told of two objects: one stays two seconds, one twenty with a change of its class."""
    rules, events = Rules(), []
    for n in range(300):
        at_s = n / 10
        found = [detection("short", 300, 200)] * (at_s < 2)
        if at_s < 20:
            found.append(detection("long", 100, 100, label="person" if at_s < 3 else "car"))
        events += [(at_s, event) for event in rules.observe(frame(at_s, found), at_s) or ()]
    return [(at_s, event) for at_s, event in events if type(event).__name__ == "ObjectEvent"]


def sent(brief: Brief, told: list[Any]) -> list[tuple[str, str, float]]:
    out = []
    for n in range(300):
        now_s = n / 10
        events = [event for at_s, event in told if at_s == now_s]
        out += [(event.id, event.phase, now_s) for event in [*brief.sift(events, now_s), *brief.due(now_s)]]
    return out


def test_gone_within_the_time_is_one_item_and_what_stays_is_told_in_order_when_the_time_is_over(
    told: list[Any],
) -> None:
    order = [("short", "end"), ("long", "new"), ("long", "update"), ("long", "end")]
    early, late = sent(Brief(5.0), told), sent(Brief(8.0), told)
    assert [one[:2] for one in early] == [one[:2] for one in late] == order
    assert [round(one[2], 1) for one in early[1:3]] == [5.4, 6.0], "held from its new, at 0.4 s; the change at once"
    assert [round(one[2], 1) for one in late[1:3]] == [8.4, 8.4]
    assert [one[:2] for one in sent(Brief(60.0), told)] == [("short", "end"), ("long", "end")]


def test_with_0_everything_goes_at_once(told: list[Any]) -> None:
    assert sent(Brief(0.0), told) == [(event.id, event.phase, at_s) for at_s, event in told]


def test_an_alert_is_never_held(told: list[Any]) -> None:
    alert = msgspec.structs.replace(told[0][1], severity="alert")
    assert Brief(5.0).sift([alert], 0.0) == [alert]


def test_what_is_held_at_the_end_or_by_a_shorter_time_goes_whole(told: list[Any]) -> None:
    brief = Brief(60.0)
    assert brief.sift([told[0][1], told[1][1]], 0.0) == []
    brief.configure(0.0)
    assert brief.due(0.0) == [told[0][1], told[1][1]]
    assert brief.close() == []
    brief.configure(60.0)
    brief.sift([told[0][1]], 0.0)
    assert brief.close() == [told[0][1]]


def test_upstream_leaves_out_the_trace_that_the_key_ends_with_and_no_other(told: list[Any]) -> None:
    event = told[0][1]
    short = upstream_form(event)
    assert (short.trace, f"event/{event.id}/new/{event.trace}") == ("", short.key)
    assert msgspec.structs.replace(short, trace=event.trace) == event
    other = msgspec.structs.replace(event, trace="another-1")
    assert upstream_form(other) == other
