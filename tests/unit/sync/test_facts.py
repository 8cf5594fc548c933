"""Events that the camera module tells by itself: recorded, given the twin's severity, and sent upstream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.modules import Sender
from support.sync_module import Device
from vigie.contracts.demand import Demand, EventsAfter
from vigie.contracts.envelope import EVENTS, Envelope
from vigie.contracts.events import CameraDown, CameraUp
from vigie.frames.cursor import CursorReader
from vigie.messaging.memory import UPSTREAM, UpstreamMessage

BOOT = "2badcafe"


@pytest.fixture
async def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Device]:
    device = Device(tmp_path, monkeypatch)
    await device.start()
    yield device
    await device.stop()


def down(number: int, **more: Any) -> CameraDown:
    return CameraDown(
        key=f"event/camera-down/new/dock-{BOOT}-{number}", id=f"dock-{BOOT}-outage-{number}", phase="new",
        camera="dock", at="2026-11-28T12:00:00.000000Z", started_at="2026-11-28T11:59:59.000000Z", seconds=1.0,
        cause="refused", reason="nothing listens there", **more,
    )  # fmt: skip


async def tell(device: Device, sent: int, *events: Any, body: bytes | None = None) -> None:
    envelope = Envelope(str(EVENTS), "camera", BOOT, sent, list(events))
    message = UpstreamMessage("camera", "events", body or msgspec.json.encode(envelope), {}, None)
    device.hub.store("camera", "events", message)
    cursor = CursorReader.open(device.folder / "frames", sender="camera", output="events", consumer="sync")
    await device.until(lambda: cursor.position(BOOT) == sent)


def told(device: Device) -> list[dict]:
    return [item for one in device.upstream() if one["schema"] == "vigie.events/1" for item in one["items"]]


async def test_a_camera_that_is_down_is_an_alert_upstream_at_once_with_cause_and_reason(device: Device) -> None:
    await device.configure(batch_seconds=3600)
    await tell(device, 1, down(1))
    await device.until(lambda: len(told(device)) == 1)
    [event] = told(device)
    assert (event["type"], event["severity"], event["camera"]) == ("camera-down", "alert", "dock")
    assert (event["cause"], event["reason"]) == ("refused", "nothing listens there")
    properties = device.hub.upstream[-1].properties
    assert (properties["event"], properties["severity"], properties["camera"]) == ("camera-down", "alert", "dock")
    assert device.metric('vigie_events_total{phase="new",severity="alert",type="camera-down"}') == 1


async def test_the_twin_decides_whether_an_outage_is_an_alert_or_is_told_at_all(device: Device) -> None:
    await device.configure(batch_seconds=0, events={"outages": "event"})
    await tell(device, 1, down(1))
    await device.configure(batch_seconds=0, events={"outages": "off"})
    await tell(device, 2, down(2))
    await device.configure(batch_seconds=0, upstream="detections")
    await tell(device, 3, down(3))
    await device.configure(batch_seconds=0, upstream="both")
    await tell(device, 4, down(4))
    await device.until(lambda: len(told(device)) == 2)
    assert [(one["id"][-1], one.get("severity", "event")) for one in told(device)] == [("1", "event"), ("4", "alert")]


async def test_what_is_told_twice_goes_upstream_once(device: Device) -> None:
    await device.configure(batch_seconds=0)
    await tell(device, 1, down(1))
    await tell(device, 2, down(1), down(2))
    await device.until(lambda: len(told(device)) == 2)
    assert [one["id"][-1] for one in told(device)] == ["1", "2"]


async def test_what_is_no_event_by_its_key_or_its_size_is_refused_and_counted_and_the_rest_goes_on(
    device: Device,
) -> None:
    await device.configure(batch_seconds=0)
    trick = CameraUp(key="dock-1-1", id="x", phase="end", camera="dock", at="t", started_at="t", seconds=0.0)
    huge = msgspec.structs.replace(down(8), reason="x" * 250_000)
    await tell(device, 1, trick, huge, down(9))
    await device.until(lambda: len(told(device)) == 1)
    assert told(device)[0]["id"].endswith("9")
    assert device.metric('vigie_items_dropped_total{camera="dock",reason="refused"}') == 2


async def test_the_viewer_s_timeline_has_the_outages_of_cameras_too(device: Device) -> None:
    await device.configure(batch_seconds=3600)
    await tell(device, 1, down(1))
    Sender(device.hub, "viewer", "demand", "vigie.demand/1").send(Demand({}, 6.0, events_after=EventsAfter("", 0)))

    def shown() -> list[dict]:
        waiting = device.hub.module("viewer").waiting
        return [one["event"] for message in waiting for one in msgspec.json.decode(message.body)["items"]]

    await device.until(lambda: [(one["type"], one["severity"]) for one in shown()] == [("camera-down", "alert")])
    await tell(device, 2, down(2))
    await device.until(lambda: [one["id"][-1] for one in shown()] == ["1", "2"])


async def test_a_frame_in_which_two_models_disagree_is_asked_for_as_a_sample_and_told_to_nobody(device: Device) -> None:
    device.hub.routes["sync", "keep"] = UPSTREAM
    await device.configure(batch_seconds=0, sampling={"disagreement": True})
    frame = {
        "type": "disagreement", "camera": "dock", "seq": 7, "trace": "dock-1badcafe-7", "model": "parts/1",
        "at": "2026-11-28T12:00:00.000000Z", "found": [],
        "other": [{"label": "nut", "class_id": 1, "score": 0.9, "box_xyxy": [1.0, 2.0, 3.0, 4.0]}],
    }  # fmt: skip
    head = {"schema": str(EVENTS), "module": "camera", "boot": BOOT, "items": [frame]}

    def asked_for() -> list[UpstreamMessage]:
        return [one for one in device.hub.upstream if one.output == "keep"]

    sent = 0
    while not asked_for():  # the thread that chooses takes its configuration between two looks for frames
        sent += 1
        await tell(device, sent, body=msgspec.json.encode({**head, "sent": sent}))
        assert sent < 2000
    [message] = asked_for()
    [asked] = json.loads(message.body)["items"]
    assert (asked["type"], asked["camera"], asked["seq"], asked["trace"]) == ("picture", "dock", 7, "dock-1badcafe-7")
    assert (asked["sample"]["reasons"], asked["sample"]["other"]) == (["disagreement"], frame["other"])
    assert (await device.method("flush"))[0] == 200
    assert told(device) == []
