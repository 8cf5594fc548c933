"""The sync module as its ``__main__`` wires it, against the hub in memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.detections import MODEL, make_item
from support.sync_module import BOOT, Device
from vigie.contracts.envelope import MESSAGE_LIMIT_BYTES


@pytest.fixture
async def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Device]:
    device = Device(tmp_path, monkeypatch)
    # What the ledger and the outbox do is told frame by frame; test_events has the rest.
    device.always = {"upstream": "detections"}
    device.hub.set_desired("sync", device.always)
    await device.start()
    yield device
    await device.stop()


async def test_detections_arrive_upstream_in_order_in_one_envelope_each_batch(device: Device) -> None:
    last = 0
    for n in range(5):
        last = device.feed([make_item(2 * n), make_item(2 * n + 1, labels=("bottle", "person"))])
    await device.until_processed(last)
    assert (await device.method("flush"))[0] == 200
    assert device.upstream_seqs() == list(range(10))
    for number, (message, envelope) in enumerate(zip(device.hub.upstream, device.upstream(), strict=True), start=1):
        assert (envelope["schema"], envelope["module"], envelope["sent"]) == ("vigie.telemetry/1", "sync", number)
        assert message.message_id == f"{envelope['boot']}-{number}"
        timings = [item["timings"] for item in envelope["items"]]
        assert all(one["committed_ms"] >= one["received_ms"] > 0 for one in timings)
    assert device.metric("vigie_items_committed_total") == 10
    assert device.metric(f'vigie_detections_committed_total{{label="bottle",model="{MODEL}"}}') == 10
    assert device.metric(f'vigie_detections_committed_total{{label="person",model="{MODEL}"}}') == 5
    assert device.metric("vigie_upstream_messages_total") == len(device.hub.upstream)
    for stage in ("preprocess", "inference", "sync"):
        assert device.metric(f'vigie_delay_seconds_count{{stage="{stage}"}}') == 10
    assert device.metric('vigie_delay_seconds_sum{stage="sync"}') > 0


async def test_what_is_recorded_survives_an_outage_and_restarts_and_goes_in_order(device: Device) -> None:
    device.hub.set_reachable(reachable=False)
    await device.until(lambda: not device.service.hub.connected)
    device.hub.set_reachable(reachable=True)
    last = device.feed([make_item(n) for n in range(3)])
    await device.until_processed(last)
    device.hub.set_reachable(reachable=False)
    await device.stop()
    already = device.upstream_seqs()
    device.hub.set_reachable(reachable=True)
    await device.start()
    last = device.feed([make_item(3)])
    await device.until_processed(last)
    assert (await device.method("flush"))[0] == 200
    assert device.upstream_seqs() == [0, 1, 2, 3]
    assert already in ([], [0, 1, 2])


async def test_an_item_that_comes_twice_in_two_starts_is_recorded_once(device: Device) -> None:
    await device.until_processed(device.feed([make_item(1), make_item(2)]))
    await device.stop()
    await device.start()
    await device.until_processed(device.feed([make_item(2), make_item(3)]))
    assert (await device.method("flush"))[0] == 200
    assert device.upstream_seqs() == [1, 2, 3]
    assert device.metric("vigie_items_duplicate_total") == 1


async def test_empty_frames_are_left_out_when_only_detections_are_wanted(device: Device) -> None:
    await device.configure(report="with_detections")
    await device.until_processed(device.feed([make_item(1, labels=()), make_item(2), make_item(3, labels=())]))
    assert (await device.method("flush"))[0] == 200
    assert device.upstream_seqs() == [2]
    assert device.metric("vigie_items_omitted_total") == 2


async def test_a_bad_twin_is_refused_with_its_path_and_the_old_one_runs_on(device: Device) -> None:
    await device.configure(batch_items=7)
    device.hub.set_desired("sync", device.always | {"batch_items": 0})
    await device.until(lambda: device.hub.reported("sync").get("batch_items", {}).get("ac") == 400)
    refused = device.hub.reported("sync")["batch_items"]
    assert (refused["value"], refused["ad"].startswith("$.batch_items: ")) == (7, True)
    assert device.service.twin.current.batch_items == 7


async def test_a_batch_goes_when_it_is_full_and_not_before_its_time(device: Device) -> None:
    await device.configure(batch_items=4, batch_seconds=3600)
    await device.until_processed(device.feed([make_item(n) for n in range(3)]))
    status, backlog = await device.method("get_backlog")
    assert (status, backlog["items"], backlog["in_flight"], device.hub.upstream) == (200, 3, 0, [])
    await device.until_processed(device.feed([make_item(n) for n in range(3, 6)]))
    await device.until(lambda: device.upstream_seqs() == [0, 1, 2, 3])
    assert (await device.method("flush"))[0] == 200
    assert device.upstream_seqs() == [0, 1, 2, 3, 4, 5]


async def test_messages_stay_below_the_hubs_limit_however_large_the_items(device: Device) -> None:
    await device.configure(batch_items=1000, batch_seconds=3600)
    items = [make_item(n, labels=("bottle",) * 900) for n in range(8)]
    await device.until_processed(device.feed(items))
    assert (await device.method("flush"))[0] == 200
    assert device.upstream_seqs() == list(range(8))
    assert len(device.hub.upstream) > 1
    assert all(len(message.body) < MESSAGE_LIMIT_BYTES - 512 for message in device.hub.upstream)


async def test_an_item_that_fits_no_message_is_dropped_counted_and_does_not_stop_the_rest(device: Device) -> None:
    items = [make_item(1, labels=("bottle",) * 4000), make_item(2)]
    await device.until_processed(device.feed(items))
    assert (await device.method("flush"))[0] == 200
    assert device.upstream_seqs() == [2]
    assert device.metric('vigie_items_dropped_total{camera="dock",reason="too_large"}') == 1


async def test_a_ledger_that_cannot_be_written_holds_messages_back_and_loses_none(device: Device) -> None:
    await device.until_processed(device.feed([make_item(1)]))
    assert (await device.method("flush"))[0] == 200
    await device.stop()
    ledger = device.folder / "state/ledger.db"
    ledger.rename(ledger.with_name("kept"))
    ledger.mkdir()
    await device.start()
    sent = device.feed([make_item(2)])
    await device.until(lambda: "ledger" in device.service.health.missing())
    await device.until(lambda: device.hub.reported("sync").get("ledger", {}).get("state") == "unavailable")
    assert device.cursor.position(BOOT) == sent - 1
    assert (await device.method("get_backlog"))[0] == 503
    ledger.rmdir()
    ledger.with_name("kept").rename(ledger)
    await device.until_processed(sent)
    assert (await device.method("flush"))[0] == 200
    assert device.upstream_seqs() == [1, 2]
    await device.until(lambda: device.hub.reported("sync")["ledger"]["state"] == "ok")


async def test_a_damaged_ledger_is_set_aside_reported_and_flow_goes_on(device: Device) -> None:
    await device.until_processed(device.feed([make_item(1)]))
    await device.stop()
    (device.folder / "state/ledger.db").write_bytes(b"no database" * 1000)
    await device.start()
    await device.until_processed(device.feed([make_item(2)]))
    status, backlog = await device.method("get_backlog")
    assert (status, len(backlog["set_aside"])) == (200, 1)
    await device.until(lambda: device.hub.reported("sync").get("ledger", {}).get("set_aside") == backlog["set_aside"])


async def test_flush_says_what_is_left_when_the_hub_stores_nothing(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.configure(batch_seconds=3600)
    await device.until_processed(device.feed([make_item(1), make_item(2)]))
    device.hub.routes[("sync", "telemetry")] = ("nobody", "nothing")
    monkeypatch.setattr(type(device.hub), "store", _refuse)  # as a hub whose disk is full
    status, body = await device.method("flush", {"timeout_s": 0.3})
    assert (status, body["error"]) == (503, "2 items left after 0.3 s; try again")


async def test_readiness_tells_that_the_hub_acknowledges_nothing_until_it_does(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.configure(batch_seconds=3600)
    await device.until_processed(device.feed([make_item(1)]))
    with monkeypatch.context() as patched:
        patched.setattr(type(device.hub), "store", _refuse)
        status, _ = await device.method("flush", {"timeout_s": 5.0})
        assert status == 503
        assert "tries in a row failed: the hub takes nothing" in device.service.health.missing()["upstream"]
    assert (await device.method("flush"))[0] == 200
    await device.until(lambda: "upstream" not in device.service.health.missing())
    assert device.upstream_seqs() == [1]


async def test_a_flush_request_with_a_bad_time_is_refused_with_its_path(device: Device) -> None:
    status, body = await device.method("flush", {"timeout_s": 0})
    assert (status, body["path"]) == (400, "$.timeout_s")


def _refuse(*_args: Any) -> None:
    from vigie.errors import HubUnavailableError

    raise HubUnavailableError("the hub takes nothing")


async def test_a_camera_is_erased_from_what_waits_and_the_answer_and_the_audit_say_so(device: Device) -> None:
    await device.configure(batch_items=1000, batch_seconds=3600)
    items = [make_item(n, camera=("dock", "yard")[n % 2]) for n in range(6)]
    await device.until_processed(device.feed(items))
    status, reply = await device.method("erase", {"camera": "yard"})
    assert (status, reply) == (
        200,
        {"items": 3, "cameras": {"yard": 3}, "on_their_way": 0, "undated": 0, "for_modules": {}, "set_aside": []},
    )
    assert (await device.method("flush"))[0] == 200
    assert device.upstream_seqs() == [0, 2, 4]
    lines = "".join(one.read_text() for one in sorted((device.folder / "state/audit").glob("*.jsonl")))
    (line,) = [json.loads(line) for line in lines.splitlines() if '"erase"' in line]
    assert "yard" in str(line)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({}, "name a camera"),
        ({"since": "2026-03-01T12:00:00"}, "$.since: say which time zone"),
        ({"since": "2026-03-01T12:00:00Z", "until": "2026-03-01T11:00:00Z"}, "is after"),
        ({"camera": ""}, "$.camera"),
        ({"kamera": "dock"}, "kamera"),
    ],
)
async def test_an_erasure_that_could_mean_something_else_is_refused(
    device: Device, request_: dict[str, Any], text: str
) -> None:
    await device.configure(batch_items=1000, batch_seconds=3600)
    await device.until_processed(device.feed([make_item(1)]))
    status, reply = await device.method("erase", request_)
    assert status == 400
    assert text in str(reply)
    assert (await device.method("get_backlog"))[1]["items"] == 1
