"""Two models see the same frames: what each tells is recorded, counted and erased as its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from support.sync_module import Device
from support.walks import walks

GATE = {"points": [[0.25, 0.0], [0.75, 0.0], [0.75, 1.0], [0.25, 1.0]]}


@pytest.fixture
async def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Device]:
    device = Device(tmp_path, monkeypatch)
    await device.start()
    yield device
    await device.stop()


def _across(at_s: float) -> tuple[float, float]:
    return 80 * at_s, 200.0


async def _fed_by_two_models(device: Device, seconds: int) -> None:
    last = 0
    for item in walks(seconds, a=_across):
        last = device.feed([item, msgspec.structs.replace(item, model="people-2", beside="people")])
    await device.until_processed(last)


async def test_boxes_and_events_of_two_models_are_recorded_and_counted_apart(device: Device) -> None:
    await device.configure(upstream="both", cameras={"dock": {"zones": {"gate": GATE}}})
    await _fed_by_two_models(device, 8)
    assert (await device.method("flush"))[0] == 200
    items = [item for one in device.upstream() if one["schema"] == "vigie.telemetry/1" for item in one["items"]]
    assert len(items) == 160
    assert len({item["trace"] for item in items}) == 160, "the trace is the idempotency key"
    assert {(item["camera"], item["model"], item.get("beside")) for item in items} == {
        ("dock", "parts/1", None),
        ("dock", "people-2", "people"),
    }
    told = [item for one in device.upstream() if one["schema"] == "vigie.events/1" for item in one["items"]]
    zones = [(one["camera"], one["phase"], one["inside"]) for one in told if one["type"] == "zone"]
    assert sorted(zones) == [
        ("dock", "end", 0), ("dock", "new", 1), ("dock/people", "end", 0), ("dock/people", "new", 1)
    ]  # fmt: skip
    assert len({one["key"] for one in told}) == len(told)
    assert device.metric('vigie_zone_moves_total{camera="dock",move="entered",zone="gate"}') == 1
    assert device.metric('vigie_zone_moves_total{camera="dock/people",move="entered",zone="gate"}') == 1
    assert device.metric("vigie_items_committed_total") == 80
    assert device.metric("vigie_beside_items_committed_total") == 80
    assert device.metric('vigie_detections_committed_total{label="person",model="parts/1"}') == 80
    assert device.metric('vigie_detections_committed_total{label="person",model="people-2"}') == 0
    assert {one.properties["camera"] for one in device.hub.upstream if "camera" in one.properties} == {"dock"}


async def test_erasing_a_camera_erases_what_a_model_beside_saw_of_it(device: Device) -> None:
    await device.configure(upstream="both", batch_seconds=3600, batch_items=1000)
    await _fed_by_two_models(device, 2)
    status, told = await device.method("erase", {"camera": "dock"})
    assert status == 200, told
    assert (await device.method("flush"))[0] == 200
    left = [item for one in device.upstream() for item in one["items"]]
    assert not [item for item in left if str(item.get("camera", "")).startswith("dock")], left
