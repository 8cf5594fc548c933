from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vigie.errors import LedgerRefusedError
from vigie.ledger.bounds import Drop
from vigie.ledger.ledger import Ledger
from vigie.ledger.packing import Packing
from vigie.ledger.priorities import Priority
from vigie.ledger.rows import LedgerEntry

NO_LIMIT = 1 << 40
BODY_LIMIT = 4_000


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> str:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: str) -> Iterator[Ledger]:
    ledger = Ledger(path)
    yield ledger
    ledger.close()


def entries(*seqs: int, camera: str = "dock", size: int = 20) -> list[LedgerEntry]:
    return [
        LedgerEntry(f"{camera}-{seq}", camera, json.dumps({"seq": seq, "pad": "x" * size}).encode()) for seq in seqs
    ]


def form(ledger: Ledger, most: int = 100, limit: int = BODY_LIMIT) -> Any:
    return ledger.next_batch("sync", most, lambda _: limit)


def seqs(batch: Any) -> list[int]:
    return [item["seq"] for item in json.loads(batch.body)["items"]]


def drain(ledger: Ledger, most: int = 100) -> list[int]:
    sent = []
    while (batch := form(ledger, most)) is not None:
        sent += seqs(batch)
        ledger.acknowledge(batch)
    return sent


def told(*numbers: int, priority: Priority = Priority.EVENT) -> list[LedgerEntry]:
    return [
        LedgerEntry(
            f"event/{n}/end/dock-{n}", "dock", json.dumps({"seq": n, "key": f"event/{n}/end/dock-{n}"}).encode(),
            priority,
        )
        for n in numbers
    ]  # fmt: skip


def test_events_go_before_boxes_and_share_no_message(ledger: Ledger) -> None:
    ledger.record([*entries(1, 2), *told(3, 4), *entries(5)], NO_LIMIT)
    sent = []
    while (batch := form(ledger)) is not None:
        body = json.loads(batch.body)
        sent.append((body["schema"], seqs(batch)))
        ledger.acknowledge(batch)
    assert sent == [("vigie.events/1", [3, 4]), ("vigie.telemetry/1", [1, 2, 5])]


def test_what_was_recorded_last_goes_first_if_its_priority_is_higher(ledger: Ledger) -> None:
    ledger.record([*entries(*range(30)), *told(30, 31, priority=Priority.AGGREGATE), *told(32)], NO_LIMIT)
    ledger.record(told(33, 34, priority=Priority.ALERT), NO_LIMIT)
    ledger.record(told(35), NO_LIMIT)
    assert drain(ledger, most=10) == [33, 34, 32, 35, 30, 31, *range(30)]


def test_alerts_share_no_message_with_others(ledger: Ledger) -> None:
    ledger.record([*told(*range(10)), *told(10, 11, priority=Priority.ALERT)], NO_LIMIT)
    sent = []
    while (batch := ledger.next_batch("sync", 1000, lambda _: 200_000)) is not None:
        sent.append(seqs(batch))
        ledger.acknowledge(batch)
    assert sent == [[10, 11], list(range(10))]


def test_only_the_priorities_that_may_go_do(ledger: Ledger) -> None:
    ledger.record([*entries(1), *told(2), *told(3, priority=Priority.ALERT)], NO_LIMIT)
    alerts = Packing(priorities=(Priority.ALERT,))
    batch = ledger.next_batch("sync", 100, lambda _: 200_000, alerts)
    assert seqs(batch) == [3]
    ledger.acknowledge(batch)
    assert ledger.next_batch("sync", 100, lambda _: 200_000, alerts) is None
    assert drain(ledger) == [2, 1]


def test_a_compressed_batch_is_the_same_after_a_restart_and_says_its_encoding(path: str, ledger: Ledger) -> None:
    ledger.record(told(*range(200)), NO_LIMIT)
    batch = ledger.next_batch("sync", 1000, lambda _: 200_000, Packing(gzip=True))
    assert batch.encoding == "gzip"
    assert [item["seq"] for item in json.loads(batch.json)["items"]] == list(range(batch.items))
    assert len(batch.body) < len(batch.json) / 3
    ledger.close()
    again = Ledger(path)
    assert form(again) == batch
    again.close()


def test_how_well_the_last_batch_was_compressed_says_how_many_items_fill_the_next(ledger: Ledger) -> None:
    ledger.record(told(*range(600)), NO_LIMIT)
    counts = []
    for _ in range(3):
        batch = ledger.next_batch("sync", 200, lambda _: 200_000, Packing(gzip=True))
        counts.append(batch.items)
        assert len(batch.body) <= 200_000
        ledger.acknowledge(batch)
    assert min(counts) > 100, counts


def test_items_leave_in_the_order_they_came(ledger: Ledger) -> None:
    ledger.record(entries(3, 1), NO_LIMIT)
    ledger.record(entries(2), NO_LIMIT)
    assert drain(ledger, most=2) == [3, 1, 2]


def test_an_empty_ledger_has_no_batch(ledger: Ledger) -> None:
    assert form(ledger) is None
    assert ledger.record([], NO_LIMIT).new == []


def test_a_key_that_came_twice_is_recorded_once(ledger: Ledger) -> None:
    assert ledger.record(entries(1, 2, 1), NO_LIMIT).new == [True, True, False]
    assert ledger.record(entries(2, 3), NO_LIMIT).new == [False, True]
    assert drain(ledger) == [1, 2, 3]


def test_keys_are_known_over_restarts_before_and_after_they_were_sent(path: str, ledger: Ledger) -> None:
    ledger.record(entries(1, 2), NO_LIMIT)
    ledger.acknowledge(form(ledger, most=1))
    in_flight = form(ledger, most=1)
    ledger.record(entries(3), NO_LIMIT)
    ledger.close()
    again = Ledger(path)
    assert again.record(entries(1, 2, 3, 4), NO_LIMIT).new == [False, False, False, True]
    assert form(again) == in_flight
    again.close()


def test_a_batch_is_the_same_bytes_and_the_same_id_after_a_restart_whatever_came_since(
    path: str, ledger: Ledger
) -> None:
    ledger.record(entries(1, 2, 3), NO_LIMIT)
    first = form(ledger, most=2)
    ledger.close()
    again = Ledger(path)
    again.record(entries(4), NO_LIMIT)
    second = again.next_batch("another-name", 100, lambda _: 200_000)
    assert (second, second.message_id) == (first, first.message_id)
    assert second.message_id == f"{again.id}-1"
    again.acknowledge(second)
    assert seqs(form(again)) == [3, 4]
    again.close()


def test_numbers_of_batches_go_on_over_restarts_so_that_the_cloud_finds_a_gap(path: str) -> None:
    numbers = []
    for run in range(3):
        ledger = Ledger(path)
        ledger.record(entries(run), NO_LIMIT)
        batch = form(ledger)
        envelope = json.loads(batch.body)
        assert (envelope["schema"], envelope["module"], envelope["boot"]) == ("vigie.telemetry/1", "sync", ledger.id)
        numbers.append(envelope["sent"])
        ledger.acknowledge(batch)
        ledger.close()
    assert numbers == [1, 2, 3]


@pytest.mark.parametrize("limit", [1_000, 1_234, 3_999])
def test_a_batch_stays_below_the_limit_and_takes_what_fits(ledger: Ledger, limit: int) -> None:
    ledger.record(entries(*range(100), size=70), NO_LIMIT)
    item_bytes = len(entries(99, size=70)[0].body) + 1
    sent = []
    while (batch := form(ledger, most=1000, limit=limit)) is not None:
        assert len(batch.body) <= limit
        assert len(batch.body) > limit - item_bytes or not ledger.backlog().items
        sent += seqs(batch)
        ledger.acknowledge(batch)
    assert sent == list(range(100))


def test_an_item_alone_above_the_limit_goes_alone(ledger: Ledger) -> None:
    ledger.record(entries(1, 2, size=5_000), NO_LIMIT)
    assert seqs(form(ledger)) == [1]


def test_the_backlog_counts_what_waits_and_what_is_on_its_way(ledger: Ledger) -> None:
    ledger.record(entries(*range(5)), NO_LIMIT)
    assert (ledger.backlog().items, ledger.backlog().in_flight) == (5, 0)
    batch = form(ledger, most=2)
    assert (ledger.backlog().items, ledger.backlog().in_flight) == (3, 2)
    ledger.acknowledge(batch)
    assert (ledger.backlog().items, ledger.backlog().in_flight) == (3, 0)
    drain(ledger)
    assert (ledger.backlog().items, ledger.backlog().in_flight) == (0, 0)


def test_a_full_ledger_drops_the_oldest_items_by_camera_and_keeps_the_batch_on_its_way(
    path: str, ledger: Ledger
) -> None:
    limit = 1 << 20
    ledger.record(entries(0, camera="first"), limit)
    in_flight = form(ledger)
    gone, total = Counter(), 0
    for n in range(400):
        recorded = ledger.record(entries(n, camera=f"cam{n % 2}", size=10_000), limit)
        for one, count in recorded.dropped.items():
            assert (one.reason, one.priority) == (Drop.LEDGER_FULL, Priority.DETECTIONS)
            gone[one.camera] += count
        total = recorded.dropped_total or total
        assert ledger.backlog().used_bytes <= limit + 32_768
    assert abs(gone["cam0"] - gone["cam1"]) <= 1
    assert total == sum(gone.values()) == ledger.backlog().dropped_total
    assert form(ledger) == in_flight
    ledger.acknowledge(in_flight)
    left = drain(ledger)
    assert left == list(range(total, 400)), "the oldest are gone, the rest is there, in order"
    ledger.close()
    again = Ledger(path)
    assert again.backlog().dropped_total == total
    again.close()


def test_a_sent_ledger_does_not_grow(ledger: Ledger) -> None:
    for n in range(300):
        ledger.record(entries(n, size=10_000), NO_LIMIT)
        drain(ledger)
    assert ledger.backlog().used_bytes < 200_000


def test_only_the_newest_keys_are_remembered(path: str) -> None:
    ledger = Ledger(path, remembered=10)
    for n in range(30):
        ledger.record(entries(n), NO_LIMIT)
        drain(ledger)
    assert ledger.record(entries(*range(21, 30)), NO_LIMIT).new == [False] * 9
    ledger.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM batches").fetchone()[0] <= 11
    db.close()
    again = Ledger(path, remembered=10)
    assert again.record(entries(*range(20, 30)), NO_LIMIT).new == [False] * 10
    assert again.record(entries(5), NO_LIMIT).new == [True]
    again.close()


def test_a_newer_version_is_refused_with_what_to_do(path: str, ledger: Ledger) -> None:
    ledger.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=4")
    db.close()
    with pytest.raises(LedgerRefusedError) as caught:
        Ledger(path)
    assert str(caught.value) == (
        f"ledger {path} has version 4, newer than 3, which this module reads; "
        "update the module, or move the file away and keep it"
    )


def test_a_second_process_cannot_open_the_ledger(path: str, ledger: Ledger) -> None:
    ledger.record(entries(1), NO_LIMIT)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Ledger(path)


def test_commits_reach_the_disk_once_a_second_and_before_a_batch_is_sent(path: str) -> None:
    clock = Clock()
    ledger = Ledger(path, clock=clock)
    statements = []
    ledger._db.set_trace_callback(statements.append)

    def full() -> bool:
        found = any("synchronous=FULL" in statement for statement in statements)
        statements.clear()
        return found

    clock.now = 0.5
    ledger.record(entries(1), NO_LIMIT)
    assert not full(), "a commit alone waits for no disk"
    clock.now = 1.0
    ledger.record(entries(2), NO_LIMIT)
    assert full(), "while items come, one commit a second does"
    ledger.record(entries(3), NO_LIMIT)
    assert not full()
    form(ledger)
    assert full(), "a batch is on the disk before it is sent"
    ledger.record(entries(4), NO_LIMIT)
    clock.now = 2.0
    ledger.settle()
    assert any("wal_checkpoint" in statement for statement in statements), "and the last items when nothing more comes"
    statements.clear()
    clock.now = 4.0
    ledger.settle()
    statements.clear()
    clock.now = 6.0
    ledger.settle()
    assert statements == []
    ledger.close()
