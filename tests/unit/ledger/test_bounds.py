"""Bounds of the outbox: what goes when more waits than may, and that everything that goes is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.ledger.bounds import Bounds, Drop, Dropped, LedgerRules, OutboxBounds
from vigie.ledger.ledger import Ledger
from vigie.ledger.priorities import Priority
from vigie.ledger.rows import LedgerEntry

NO_LIMIT = 1 << 40


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.db", clock=clock, wall=lambda: 1_800_000_000 + clock.now)
    yield ledger
    ledger.close()


def at(n: int) -> str:
    return f"2026-11-28T10:{n // 60:02d}:{n % 60:02d}.000000Z"


def zone(n: int, camera: str = "dock", priority: Priority = Priority.EVENT) -> LedgerEntry:
    key = f"event/t{n}/gate/end/{camera}-{n}"
    item = {
        "type": "zone", "key": key, "id": f"t{n}", "phase": "end", "camera": camera, "trace": f"{camera}-{n}",
        "at": at(n), "started_at": at(n), "seconds": 1.0, "zone": "gate", "track": f"t{n}", "label": "person",
        "inside": 0, "severity": "alert" if priority is Priority.ALERT else "event",
    }  # fmt: skip
    return LedgerEntry(key, camera, json.dumps(item).encode(), priority)


def counts(n: int, camera: str = "dock") -> LedgerEntry:
    item = {
        "type": "aggregate", "key": f"event/{camera}/counts/{n}", "id": f"{camera}/counts/{n}", "phase": "end",
        "camera": camera, "trace": f"{camera}-{n}", "at": at(n), "started_at": at(n - 1), "seconds": 1.0, "frames": 10,
        "detections": 20, "objects": {"person": 2}, "lines": {"door": {"person": {"forward": 1, "backward": 2}}},
        "zones": {"gate": {"person": {"entered": 3, "left": 2, "most": n, "stay_seconds": 1.5}}},
    }  # fmt: skip
    return LedgerEntry(item["key"], camera, json.dumps(item).encode(), Priority.AGGREGATE)


def box(n: int, camera: str = "dock") -> LedgerEntry:
    item = {
        "camera": camera, "seq": n, "trace": f"{camera}-{n}", "captured_at": at(n), "captured_ns": n,
        "frame_hw": [1, 1], "model": "m/1",
        "detections": [{"label": "person", "class_id": 0, "score": 0.5, "box_xyxy": [0, 0, 1, 1]}],
        "timings": {"preprocessed_ms": 1, "inferred_ms": 2, "inference_ms": 1},
    }  # fmt: skip
    return LedgerEntry(f"{camera}-{n}", camera, json.dumps(item).encode(), Priority.DETECTIONS)


def bounded(ledger: Ledger, priority: Priority, **bounds: object) -> None:
    ledger.configure(LedgerRules(bounds=OutboxBounds(**{priority.word: Bounds(**bounds)})))


def sent(ledger: Ledger) -> list[dict]:
    items = []
    while (batch := ledger.next_batch("sync", 100, lambda _: 200_000)) is not None:
        items += json.loads(batch.body)["items"]
        ledger.acknowledge(batch)
    return items


def test_drop_oldest_keeps_the_newest_within_the_bound_and_counts_the_rest(ledger: Ledger) -> None:
    bounded(ledger, Priority.EVENT, bytes_max=40_000)
    gone = 0
    for n in range(300):
        recorded = ledger.record([zone(n)], NO_LIMIT)
        gone += recorded.dropped[Dropped("dock", Drop.OVER_BOUND, Priority.EVENT)]
        assert ledger.backlog().waiting[Priority.EVENT].bytes <= 40_000
    assert 0 < gone < 300
    assert ledger.backlog().dropped == {"over_bound": gone}
    assert [item["id"] for item in sent(ledger)] == [f"t{n}" for n in range(gone, 300)]


def test_reject_new_keeps_what_is_recorded_and_takes_no_more(ledger: Ledger) -> None:
    bounded(ledger, Priority.EVENT, bytes_max=40_000, policy="reject_new")
    rejected = 0
    for n in range(0, 300, 3):
        recorded = ledger.record([zone(n), zone(n + 1), zone(n + 2)], NO_LIMIT)
        assert recorded.new == [True] * 3
        rejected += recorded.dropped[Dropped("dock", Drop.REJECTED, Priority.EVENT)]
    assert ledger.backlog().waiting[Priority.EVENT].bytes <= 40_000
    assert [item["id"] for item in sent(ledger)] == [f"t{n}" for n in range(300 - rejected)]
    assert ledger.record([zone(999)], NO_LIMIT).dropped == {}, "there is room again"


def test_aggregate_makes_one_item_of_counts_per_camera_and_nothing_is_missing_in_them(ledger: Ledger) -> None:
    bounded(ledger, Priority.EVENT, bytes_max=60_000, policy="aggregate")
    for n in range(1000):
        ledger.record([zone(n, camera="dock" if n % 4 else "yard")], NO_LIMIT)
        assert ledger.backlog().waiting[Priority.EVENT].bytes <= 60_000
    items = sent(ledger)
    folded = [item for item in items if item["type"] == "omitted"]
    assert {(item["camera"], item["priority"]) for item in folded} == {("dock", "event"), ("yard", "event")}
    assert sum(item["items"] for item in folded) == sum(item["kinds"]["zone/end"] for item in folded)
    told = [item["id"] for item in items if item["type"] == "zone"]
    assert sum(item["labels"]["person"] for item in folded) + len(told) == 1000
    assert told == [f"t{n}" for n in range(1000 - len(told), 1000)], "the newest are whole, in order"
    dock = next(item for item in folded if item["camera"] == "dock")
    assert (dock["started_at"], dock["phase"]) == (at(1), "end")
    backlog = ledger.backlog()
    assert backlog.dropped == {"folded": 1000 - len(told)}


def test_intervals_of_counts_become_one_long_interval(ledger: Ledger) -> None:
    bounded(ledger, Priority.AGGREGATE, bytes_max=20_000, policy="aggregate")
    for n in range(1, 201):
        ledger.record([counts(n)], NO_LIMIT)
    items = sent(ledger)
    assert {item["type"] for item in items} == {"aggregate"}
    assert len(items) < 60
    assert sum(item["frames"] for item in items) == 2000
    assert sum(item["objects"]["person"] for item in items) == 400
    first = items[0]
    assert first["started_at"] == at(0)
    gate = first["zones"]["gate"]["person"]
    parts = gate["entered"] // 3
    assert (gate["most"], gate["left"], gate["stay_seconds"]) == (parts, 2 * parts, 1.5 * parts)
    assert first["lines"]["door"]["person"] == {"forward": parts, "backward": 2 * parts}
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)


def test_boxes_become_counts_of_frames_and_labels_that_share_no_message_with_boxes(ledger: Ledger) -> None:
    bounded(ledger, Priority.DETECTIONS, bytes_max=30_000, policy="aggregate")
    for n in range(500):
        ledger.record([box(n)], NO_LIMIT)
    seen = {"vigie.events/1": 0, "vigie.telemetry/1": 0}
    while (batch := ledger.next_batch("sync", 100, lambda _: 200_000)) is not None:
        body = json.loads(batch.body)
        for item in body["items"]:
            seen[body["schema"]] += item["kinds"]["frame"] if body["schema"] == "vigie.events/1" else 1
        ledger.acknowledge(batch)
    assert sum(seen.values()) == 500
    assert all(seen.values())


@pytest.mark.parametrize("policy", ["drop_oldest", "reject_new"])
def test_what_has_waited_too_long_is_not_sent_and_the_rest_is(ledger: Ledger, clock: Clock, policy: str) -> None:
    bounded(ledger, Priority.EVENT, ttl_seconds=60, policy=policy)
    for n in range(10):
        clock.now = 10.0 * n
        ledger.record([zone(n), zone(100 + n, priority=Priority.ALERT)], NO_LIMIT)
    clock.now = 105.0
    ledger.settle()
    assert ledger.take_dropped()[Dropped("dock", Drop.EXPIRED, Priority.EVENT)] > 0
    assert ledger.backlog().dropped == {"too_old": 5}
    ids = [item["id"] for item in sent(ledger)]
    assert ids == [f"t{100 + n}" for n in range(10)] + [f"t{n}" for n in range(5, 10)]


def test_with_aggregate_what_has_waited_too_long_is_sent_as_counts(ledger: Ledger, clock: Clock) -> None:
    bounded(ledger, Priority.EVENT, ttl_seconds=60, policy="aggregate")
    for n in range(10):
        clock.now = 10.0 * n
        ledger.record([zone(n)], NO_LIMIT)
    clock.now = 1_000.0
    ledger.record([zone(99)], NO_LIMIT)
    clock.now = 2_000.0
    ledger.settle()
    [item] = sent(ledger)
    assert (item["type"], item["items"], item["kinds"]) == ("omitted", 11, {"zone/end": 11})


def test_a_full_ledger_drops_boxes_before_events_and_never_an_alert_for_a_box(ledger: Ledger) -> None:
    limit = 1 << 20
    alerts = [zone(n, priority=Priority.ALERT) for n in range(500)]
    for first in range(0, 3000, 100):
        ledger.record([box(n) for n in range(first, first + 100)], limit)
    ledger.record(alerts, limit)
    backlog = ledger.backlog()
    assert backlog.waiting[Priority.ALERT].items == 500
    assert backlog.dropped["ledger_full"] == 3000 - backlog.waiting[Priority.DETECTIONS].items > 0
    more = [zone(n, priority=Priority.ALERT) for n in range(500, 4000)]
    for first in range(0, len(more), 100):
        ledger.record(more[first : first + 100], limit)
    assert ledger.backlog().waiting[Priority.DETECTIONS].items == 0
    before = ledger.backlog().waiting[Priority.ALERT].items
    recorded = ledger.record([box(9_999)], 600_000)
    assert recorded.dropped == {Dropped("dock", Drop.LEDGER_FULL, Priority.DETECTIONS): 1}
    assert ledger.backlog().waiting[Priority.ALERT].items == before


def test_bounds_and_counts_hold_over_a_restart(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "state.db"
    ledger = Ledger(path, clock=clock)
    ledger.record([zone(n) for n in range(50)], NO_LIMIT)
    before = ledger.backlog()
    ledger.close()
    again = Ledger(path, clock=clock)
    bounded(again, Priority.EVENT, bytes_max=8_000)
    again.record([zone(50)], NO_LIMIT)
    after = again.backlog()
    assert before.waiting[Priority.EVENT].bytes > 16_000
    assert after.waiting[Priority.EVENT].bytes <= 8_000
    assert after.dropped["over_bound"] == after.dropped_total == 51 - after.waiting[Priority.EVENT].items
    again.close()
