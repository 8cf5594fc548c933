"""Events instead of boxes: what sync tells the cloud of tracked objects, and what survives restarts and kills."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from support.checkout import ROOT
from support.sync_module import Device
from support.walks import detection, frame, walks

AT_ONCE = {"brief_seconds": 0}
GATE = {"points": [[0.25, 0.0], [0.75, 0.0], [0.75, 1.0], [0.25, 1.0]]}


@pytest.fixture
async def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Device]:
    device = Device(tmp_path, monkeypatch)
    await device.start()
    yield device
    await device.stop()


def across(at_s: float) -> tuple[float, float]:
    return 80 * at_s, 200.0


def events(device: Device) -> list[dict]:
    return [item for one in device.upstream() if one["schema"] == "vigie.events/1" for item in one["items"]]


async def fed(device: Device, frames: Iterable[Any]) -> None:
    last = 0
    for item in frames:
        last = device.feed([item])
    await device.until_processed(last)


async def test_a_zone_in_the_twin_turns_detections_into_events_and_no_box_goes_upstream(device: Device) -> None:
    await device.configure(upstream="events", events=AT_ONCE, cameras={"dock": {"zones": {"gate": GATE}}})
    await fed(device, walks(8, a=across))
    assert (await device.method("flush"))[0] == 200
    told = [(one["type"], one["phase"]) for one in events(device)]
    assert sorted(told) == [("aggregate", "end"), ("object", "new"), ("zone", "end"), ("zone", "new")]
    assert [one for one in told if one[0] == "zone"] == [("zone", "new"), ("zone", "end")]
    assert {one["schema"] for one in device.upstream()} == {"vigie.events/1"}
    assert device.metric("vigie_items_committed_total") == 80
    assert device.metric('vigie_detections_committed_total{label="person",model="parts/1"}') == 80
    assert device.metric('vigie_events_total{phase="end",severity="event",type="zone"}') == 1


async def test_messages_carry_what_a_routing_query_asks_for_and_the_attributes_of_cloudevents(device: Device) -> None:
    rules = {"lines": {"door": {"points": [[0.5, 0.0], [0.5, 1.0]], "alert": "both"}}}
    await device.configure(upstream="events", batch_seconds=3600, cameras={"dock": rules, "yard": rules})
    await fed(device, walks(8, a=across))
    assert (await device.method("flush"))[0] == 200
    [message] = [one for one in device.hub.upstream if one.properties["severity"] == "alert"]
    assert message.properties == {
        "specversion": "1.0", "id": message.message_id, "source": "/device/sync", "type": "vigie.events.1",
        "severity": "alert", "camera": "dock", "event": "line",
    }  # fmt: skip
    await fed(device, [frame(20 + n / 10, [detection("z", 300, 200)], camera="yard") for n in range(10)])
    assert (await device.method("flush"))[0] == 200
    told = device.hub.upstream[-1].properties
    assert (told["severity"], told["camera"]) == ("event", "yard")


async def test_an_alert_does_not_wait_for_the_batch_to_fill_and_goes_alone(device: Device) -> None:
    rules = {"lines": {"door": {"points": [[0.5, 0.0], [0.5, 1.0]], "alert": "both"}}}
    await device.configure(upstream="events", batch_seconds=3600, cameras={"dock": rules})
    await fed(device, walks(3, a=across))
    assert device.hub.upstream == []
    await fed(device, [item for item in walks(5, a=across) if item.seq >= 3000])
    await device.until(lambda: any(one["type"] == "line" for one in events(device)))
    assert [one["type"] for one in events(device)] == ["line"]


async def test_what_goes_on_ends_with_the_module_and_reaches_upstream(device: Device) -> None:
    await device.configure(upstream="events", events=AT_ONCE, cameras={"dock": {"zones": {"gate": GATE}}})
    await fed(device, walks(4, a=across))
    await device.stop()
    told = [(one["type"], one["phase"]) for one in events(device)]
    assert [one for one in told if one[0] != "aggregate"] == [
        ("object", "new"), ("zone", "new"), ("zone", "end"), ("object", "end"),
    ]  # fmt: skip
    assert told.count(("aggregate", "end")) == 2


async def test_an_object_that_is_soon_gone_is_told_upstream_once_by_its_end_and_one_that_stays_also_as_new(
    device: Device,
) -> None:
    await device.configure(upstream="events", batch_items=1000, batch_seconds=3600, events={"gone_seconds": 0.2})
    await fed(device, walks(1, a=across))
    await fed(device, (frame(2 + n / 10, [], camera="dock") for n in range(5)))
    assert (await device.method("flush"))[0] == 200
    [end] = [one for one in events(device) if one["type"] == "object"]
    assert (end["phase"], end["seconds"]) == ("end", 0.9)
    assert "trace" not in end, "its key ends with it"
    assert end["key"] == f"event/{end['id']}/end/dock-0badc0de-900"
    await device.configure(
        upstream="events", batch_items=1000, batch_seconds=3600, events={"gone_seconds": 0.2, "brief_seconds": 0.01}
    )
    await fed(device, (frame(4 + n / 10, [detection("stays", 300, 200)], camera="dock") for n in range(5)))
    await device.until(lambda: device.metric('vigie_outbox_items{priority="event"}') == 1)
    assert (await device.method("flush"))[0] == 200
    assert [one["phase"] for one in events(device) if one["type"] == "object"] == ["end", "new"]


async def test_what_is_held_back_of_an_object_is_erased_with_its_camera(device: Device) -> None:
    await device.configure(upstream="events")
    await fed(device, walks(1, a=across))
    _, reply = await device.method("erase", {"camera": "dock"})
    assert reply["cameras"] == {"dock": 2}, "its `new`, and the first frame's counts"
    await device.configure(upstream="events", events=AT_ONCE)
    assert (await device.method("flush"))[0] == 200
    assert [one for one in events(device) if one["phase"] == "new"] == []


async def test_both_sends_boxes_and_events_each_in_messages_of_their_schema(device: Device) -> None:
    await device.configure(upstream="both", events=AT_ONCE)
    await fed(device, walks(2, a=across))
    assert (await device.method("flush"))[0] == 200
    assert sum(len(one["items"]) for one in device.upstream() if one["schema"] == "vigie.telemetry/1") == 20
    assert {(one["type"], one["phase"]) for one in events(device)} == {("aggregate", "end"), ("object", "new")}
    assert [one["sent"] for one in device.upstream()] == list(range(1, len(device.upstream()) + 1))


async def test_a_frame_that_comes_twice_brings_about_its_events_once_also_over_a_restart(device: Device) -> None:
    await device.configure(upstream="events", events=AT_ONCE)
    frames = list(walks(2, a=across))
    await fed(device, [*frames, frames[-1]])
    assert device.metric("vigie_items_duplicate_total") == 1
    await device.stop()
    await device.start()
    await device.until(lambda: device.service.twin.current is not None)
    await fed(device, frames)
    assert (await device.method("flush"))[0] == 200
    keys = [one["key"] for one in events(device)]
    assert len(keys) == len(set(keys))
    assert [one["phase"] for one in events(device) if one["type"] == "object"] == ["new", "end"]


async def test_a_zone_that_is_drawn_while_it_runs_counts_from_the_next_frame_on(device: Device) -> None:
    await device.configure(upstream="events")
    frames = list(walks(8, a=lambda _: (320.0, 200.0)))
    await fed(device, frames[:20])
    await device.configure(upstream="events", cameras={"dock": {"zones": {"gate": GATE}}})
    await fed(device, frames[20:])
    assert (await device.method("flush"))[0] == 200
    [entered] = [one for one in events(device) if one["type"] == "zone"]
    assert (entered["zone"], entered["started_at"]) == ("gate", frames[20].captured_at)


async def test_a_zone_with_two_corners_is_refused_with_its_path_and_the_others_count(device: Device) -> None:
    rules = {"dock": {"zones": {"gate": {"points": [[0, 0], [1, 1]]}}}, "yard": {"zones": {"all": GATE}}}
    device.hub.set_desired("sync", {"upstream": "events", "cameras": rules})
    await device.until(lambda: device.hub.reported("sync").get("cameras", {}).get("ac") == 400)
    assert "$.cameras.dock.zones.gate.points" in device.hub.reported("sync")["cameras"]["ad"]
    assert list(device.service.twin.current.cameras) == ["yard"]


async def test_a_frame_without_a_time_is_dropped_counted_and_does_not_stop_the_rest(device: Device) -> None:
    await device.configure(upstream="events")
    bad = msgspec.structs.replace(frame(0.0, [detection("a", 300, 200)]), captured_at="yesterday")
    await fed(device, [bad, *walks(2, a=across)])
    assert device.metric('vigie_items_dropped_total{camera="dock",reason="bad_time"}') == 1
    assert device.metric("vigie_items_committed_total") == 20


async def test_every_kind_of_event_is_valid_by_the_published_schema(device: Device) -> None:
    rules = {
        "zones": {"gate": GATE | {"presence": True, "loiter_seconds": 1}},
        "lines": {"door": {"points": [[0.5, 0.0], [0.5, 1.0]]}},
    }
    await device.configure(upstream="events", cameras={"dock": rules})
    await fed(device, walks(8, a=across))
    await device.stop()
    assert {one["type"] for one in events(device)} == {"object", "zone", "line", "presence", "aggregate"}
    schema = json.loads((ROOT / "docs/schemas/vigie.events-1.json").read_text(encoding="utf-8"))
    for message in device.upstream():
        Draft202012Validator(schema).validate(message)
        for item in message["items"]:
            assert {"key", "id", "type", "phase", "camera", "at"} <= item.keys()
            assert not Draft202012Validator(schema).is_valid(message | {"items": [{**item, "key": 7}]})
