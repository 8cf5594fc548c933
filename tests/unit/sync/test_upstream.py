"""The outbox of the running module: what goes, what waits, and the methods that show, send, drop and try it."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.sync_module import Device
from support.walks import walks

ALERTS = {"dock": {"lines": {"door": {"points": [[0.5, 0.0], [0.5, 1.0]], "alert": "both"}}}}
ALWAYS = {"begin": "00:00", "end": "00:00"}


@pytest.fixture
async def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Device]:
    device = Device(tmp_path, monkeypatch)
    device.always = {"events": {"brief_seconds": 0}}
    await device.start()
    yield device
    await device.stop()


def across(at_s: float) -> tuple[float, float]:
    return 80 * at_s, 200.0


def types(device: Device) -> list[str]:
    bodies = (gzip.decompress(one.body) if one.encoding == "gzip" else one.body for one in device.hub.upstream)
    return [item["type"] for body in bodies for item in json.loads(body)["items"]]


async def fed(device: Device, seconds: float = 8) -> None:
    for item in walks(seconds, a=across):
        last = device.feed([item])
    await device.until_processed(last)


async def test_in_quiet_hours_alerts_go_and_everything_else_waits_until_it_is_sent_through(device: Device) -> None:
    await device.configure(cameras=ALERTS)
    device.hub.set_desired("sync", device.always | {"cameras": ALERTS, "sending": {"quiet_hours": ALWAYS}})
    await device.until(lambda: device.service.twin.current.sending.quiet_hours is not None)
    await fed(device)
    await device.until(lambda: "line" in types(device))
    status, body = await device.method("flush")
    assert (status, body["error"]) == (
        409, "'quiet_hours' of the twin holds all but alerts back; 'through': true sends them",
    )  # fmt: skip
    assert types(device) == ["line"]
    status, backlog = await device.method("get_backlog")
    assert (status, backlog["held"]) == (200, "quiet_hours")
    assert {name: one["items"] for name, one in backlog["priorities"].items()} == {
        "alert": 0, "event": 1, "aggregate": 1, "detections": 0,
    }  # fmt: skip
    await device.until(lambda: device.hub.reported("sync").get("upstream_state", {}).get("held") == "quiet_hours")
    assert (await device.method("flush", {"through": True}))[0] == 200
    assert types(device) == ["line", "object", "aggregate"]
    assert device.metric("vigie_upstream_pieces_total") == 2


async def test_a_spent_budget_holds_over_a_restart_and_alerts_pass_it(device: Device) -> None:
    await device.configure(cameras=ALERTS)
    assert (await device.method("send_test_event"))[0] == 200
    device.hub.set_desired("sync", device.always | {"cameras": ALERTS, "sending": {"messages_per_day": 1}})
    await device.until(lambda: device.service.twin.current.sending.messages_per_day == 1)
    await device.stop()
    await device.start()
    # The copy on the disk may be of the version before.
    await device.until(lambda: (now := device.service.twin.current) is not None and now.sending.messages_per_day == 1)
    await fed(device)
    await device.until(lambda: "line" in types(device))
    _, backlog = await device.method("get_backlog")
    assert (backlog["held"], backlog["spent"]["messages"]) == ("messages_per_day", 2)
    assert types(device) == ["test", "line"]


async def test_a_rate_spreads_messages_and_an_alert_does_not_wait_for_it(device: Device) -> None:
    await device.configure(cameras=ALERTS, sending={"bytes_per_second": 512})
    assert (await device.method("send_test_event", {"text": "x" * 200}))[0] == 200
    status, body = await device.method("send_test_event", {"timeout_s": 0.2})
    assert (status, "is recorded and not acknowledged after 0.2 s" in body["error"]) == (503, True)
    assert len(device.hub.upstream) == 1
    assert (await device.method("send_test_event", {"severity": "alert", "timeout_s": 0.9}))[0] == 200


async def test_compressed_messages_say_so_and_hold_the_same(device: Device) -> None:
    await device.configure(cameras=ALERTS, sending={"gzip": True})
    await fed(device)
    assert (await device.method("flush"))[0] == 200
    assert {one.encoding for one in device.hub.upstream} == {"gzip"}
    assert sorted(types(device)) == ["aggregate", "line", "object"]
    assert {one.properties["type"] for one in device.hub.upstream} == {"vigie.events.1"}
    [alert] = [one for one in device.hub.upstream if one.properties["severity"] == "alert"]
    assert alert.properties["id"] == alert.message_id


async def test_a_test_event_reaches_the_cloud_before_it_is_answered(device: Device) -> None:
    await device.configure()
    status, reply = await device.method("send_test_event", {"severity": "alert", "text": "from the office"})
    assert status == 200
    [item] = [item for body in device.upstream() for item in body["items"]]
    assert (item["key"], item["type"], item["severity"], item["text"]) == (
        reply["key"], "test", "alert", "from the office",
    )  # fmt: skip


async def test_a_backlog_is_exported_page_by_page_in_the_order_in_which_it_would_go(device: Device) -> None:
    device.hub.set_desired(
        "sync", device.always | {"upstream": "both", "cameras": ALERTS, "batch_seconds": 3600, "batch_items": 1000}
    )
    await device.until(lambda: device.service.twin.current and device.service.twin.current.batch_items == 1000)
    await fed(device, 3)
    seen, after = [], 0
    while after is not None:
        status, page = await device.method("export_backlog", {"after": after, "items": 4})
        assert status == 200
        seen += page["items"]
        after = page["next"]
    kinds = [item.get("type", "frame") for item in seen]
    assert kinds == ["object", "aggregate"] + ["frame"] * 30
    assert [item["seq"] for item in seen[2:]] == sorted(item["seq"] for item in seen[2:])
    assert device.hub.upstream == [], "showing what waits sends nothing"


async def test_purge_asks_for_its_token_drops_what_was_shown_and_counts_it(device: Device) -> None:
    device.hub.set_desired("sync", device.always | {"upstream": "both", "batch_seconds": 3600, "batch_items": 1000})
    await device.until(lambda: device.service.twin.current and device.service.twin.current.batch_items == 1000)
    await fed(device, 3)
    status, asked = await device.method("purge", {"priorities": ["detections"]})
    assert (status, asked["items"]) == (200, 30)
    status, body = await device.method("purge", {"priorities": ["event"], "confirm": asked["token"]})
    assert (status, "call without 'confirm' for a new one" in body["error"]) == (409, True)
    status, body = await device.method("purge", {"priorities": ["detections"], "confirm": asked["token"]})
    assert status == 409, "a token is good for one try"
    _, asked = await device.method("purge", {"priorities": ["detections"]})
    status, gone = await device.method("purge", {"priorities": ["detections"], "confirm": asked["token"]})
    assert (status, gone) == (200, {"items": 30})
    _, backlog = await device.method("get_backlog")
    assert (backlog["items"], backlog["dropped"]) == (2, {"purged": 30})
    assert device.metric('vigie_items_dropped_total{camera="dock",reason="purged"}') == 30
    await device.until(lambda: device.hub.reported("sync").get("dropped", {}).get("purged") == 30)


async def test_what_the_ledger_survives_is_reported_as_it_is(device: Device) -> None:
    await device.configure(durability="power_loss")
    await device.until(lambda: device.hub.reported("sync").get("upstream_state", {}).get("durability") == "power_loss")
    assert device.hub.reported("sync")["upstream_state"]["survives"].startswith(("a power loss", "nothing but a crash"))
