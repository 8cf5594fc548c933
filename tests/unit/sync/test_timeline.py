"""What the viewer hears of events: while it asks, each once it is recorded; when it asks again, what it lacks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from support.modules import Sender
from support.sync_module import Device
from support.walks import detection, frame, walks
from vigie.contracts.demand import Demand, EventsAfter

GATE = {"points": [[0.25, 0.0], [0.75, 0.0], [0.75, 1.0], [0.25, 1.0]]}
DOOR = {"points": [[0.5, 0.0], [0.5, 1.0]]}
NONE_YET = EventsAfter("", 0)


@pytest.fixture
async def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Device]:
    device = Device(tmp_path, monkeypatch)
    await device.start()
    await device.configure(upstream="events", cameras={"dock": {"zones": {"gate": GATE}, "lines": {"door": DOOR}}})
    yield device
    await device.stop()


def told(device: Device) -> list[dict]:
    return [one for message in device.hub.module("viewer").waiting for one in json.loads(message.body)["items"]]


def seen(device: Device) -> list[tuple]:
    return [(one["event"]["type"], one["event"]["phase"], tuple(one.get("counts", ()))) for one in told(device)]


async def fed(device: Device, frames: Iterable[Any]) -> None:
    last = 0
    for item in frames:
        last = device.feed([item])
    await device.until_processed(last)


async def walked(device: Device, first_s: float = 0.0, last_s: float = 8.0) -> None:
    await fed(device, [one for one in walks(last_s, a=lambda at_s: (80 * at_s, 200.0)) if one.seq >= first_s * 1000])


async def test_nothing_is_sent_while_nobody_looks_and_all_of_it_to_who_opens_the_page_later(device: Device) -> None:
    await walked(device)
    assert told(device) == []
    Sender(device.hub, "viewer", "demand", "vigie.demand/1").send(Demand({}, 6.0, events_after=NONE_YET))
    await device.until(lambda: len(told(device)) == 5)
    assert seen(device) == [
        ("aggregate", "end", ()), ("object", "new", ()), ("zone", "new", (1, 1, 0)), ("line", "end", (0, 1)),
        ("zone", "end", (0, 1, 1)),
    ]  # fmt: skip
    assert [one["number"] for one in told(device)] == [1, 2, 3, 4, 5]


async def test_while_somebody_looks_each_event_comes_at_once_and_none_that_the_viewer_has(device: Device) -> None:
    viewer = Sender(device.hub, "viewer", "demand", "vigie.demand/1")
    await walked(device, 0.0, 4.0)
    viewer.send(Demand({}, 6.0, events_after=NONE_YET))
    await device.until(lambda: len(told(device)) == 3)
    [*_, last] = told(device)
    await walked(device, 4.0, 8.0)
    await device.until(lambda: len(told(device)) == 5)
    viewer.send(Demand({}, 6.0, events_after=EventsAfter(last["boot"], 4)))
    await device.until(lambda: len(told(device)) == 6)
    assert [one["number"] for one in told(device)] == [1, 2, 3, 4, 5, 5]


async def test_a_sync_that_restarted_begins_to_count_anew_and_says_so(device: Device) -> None:
    await walked(device, 0.0, 4.0)
    await device.stop()
    await device.start()
    await device.until(lambda: device.service.twin.current is not None)
    await walked(device, 4.0, 8.0)
    Sender(device.hub, "viewer", "demand", "vigie.demand/1").send(Demand({}, 6.0, events_after=EventsAfter("old", 99)))
    await device.until(lambda: len(told(device)) >= 3)
    assert [one["number"] for one in told(device)] == list(range(1, len(told(device)) + 1))
    assert {one["boot"] for one in told(device)} == {device.service.env.boot}


async def test_what_is_erased_is_not_told_any_more(device: Device) -> None:
    await walked(device)
    await fed(device, [frame(20 + n / 10, [detection("z", 300, 200)], camera="yard") for n in range(10)])
    assert (await device.method("erase", {"camera": "dock"}))[0] == 200
    Sender(device.hub, "viewer", "demand", "vigie.demand/1").send(Demand({}, 6.0, events_after=NONE_YET))
    await device.until(lambda: len(told(device)) >= 2)
    assert {one["event"]["camera"] for one in told(device)} == {"yard"}


async def test_counts_are_metrics_and_go_with_the_zone(device: Device) -> None:
    await walked(device, 0.0, 4.0)
    inside = 'vigie_zone_objects{camera="dock",zone="gate"}'
    assert device.metric(inside) == 1
    assert device.metric('vigie_line_crossings_total{camera="dock",direction="backward",line="door"}') == 0
    await device.configure(upstream="events", cameras={})
    await device.until(lambda: inside not in device.service.metrics.values())
    assert device.metric('vigie_zone_moves_total{camera="dock",move="left",zone="gate"}') == 1
