"""A folder that cannot be used: items go to memory, are sent from there, and move to the disk when it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie.errors import LedgerUnavailableError
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.rows import LedgerEntry
from vigie.ledger.stand_in import AFTER_S, LIMIT_BYTES, LOOK_EVERY_S

LIMIT = 64 << 20


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def entry(number: int, size: int = 40) -> LedgerEntry:
    trace = f"dock-0badc0de-{number}"
    body = b'{"trace":"%b","camera":"dock","seq":%d,"pad":"%b"}' % (trace.encode(), number, b"x" * size)
    return LedgerEntry(trace, "dock", body)


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path, Clock]:
    """A state folder whose place a file takes, storage in memory, a clock."""
    (tmp_path / "state").write_text("not a folder")
    (tmp_path / "memory").mkdir()
    return tmp_path / "state", tmp_path / "memory", Clock()


def take(ledger: LedgerThread) -> list[int]:
    """Send everything; the numbers of the items in order."""
    import json

    numbers = []
    while (batch := ledger.next_batch("sync", 50, lambda _id: 200_000)) is not None:
        numbers += [item["seq"] for item in json.loads(batch.json)["items"]]
        ledger.acknowledge(batch)
    return numbers


def test_a_disk_that_stays_away_is_stood_in_for_and_what_is_left_moves_to_it(place: tuple[Path, Path, Clock]) -> None:
    folder, memory, clock = place
    with LedgerThread(folder, memory=memory, clock=clock) as ledger:
        with pytest.raises(LedgerUnavailableError):
            ledger.record([entry(1)], LIMIT)
        clock.now = AFTER_S / 2
        with pytest.raises(LedgerUnavailableError):
            ledger.record([entry(1)], LIMIT)
        clock.now = AFTER_S
        assert ledger.record([entry(1), entry(2)], LIMIT).new == [True, True]
        assert "state" in ledger.in_memory
        assert take(ledger) == [1, 2]
        ledger.record([entry(3)], LIMIT)
        folder.unlink()
        clock.now += LOOK_EVERY_S
        ledger.record([entry(4)], LIMIT)
        assert ledger.in_memory == ""
        assert list(memory.iterdir()) == []
    with LedgerThread(folder) as ledger:
        assert take(ledger) == [3, 4]


def test_what_a_killed_start_left_in_memory_is_sent_by_the_next_one(place: tuple[Path, Path, Clock]) -> None:
    folder, memory, clock = place
    killed = LedgerThread(folder, memory=memory, clock=clock)
    with pytest.raises(LedgerUnavailableError):
        killed.settle()
    clock.now = AFTER_S
    killed.record([entry(1)], LIMIT)
    killed.close()  # the file is as a kill leaves it; its lock goes with the process
    with LedgerThread(folder, memory=memory, clock=clock) as ledger:
        assert take(ledger) == [1]
        assert ledger.in_memory


def test_a_batch_on_its_way_stays_until_it_is_acknowledged(place: tuple[Path, Path, Clock]) -> None:
    folder, memory, clock = place
    with LedgerThread(folder, memory=memory, clock=clock) as ledger:
        with pytest.raises(LedgerUnavailableError):
            ledger.settle()
        clock.now = AFTER_S
        ledger.record([entry(1)], LIMIT)
        batch = ledger.next_batch("sync", 50, lambda _id: 200_000)
        assert batch is not None
        folder.unlink()
        clock.now += LOOK_EVERY_S
        ledger.record([entry(2)], LIMIT)
        assert ledger.in_memory, "moved now, the first item would come under two ids"
        ledger.acknowledge(batch)
        clock.now += LOOK_EVERY_S
        assert take(ledger) == [2]
        assert not ledger.in_memory


def test_memory_is_bounded_and_the_oldest_go_first(place: tuple[Path, Path, Clock]) -> None:
    folder, memory, clock = place
    with LedgerThread(folder, memory=memory, clock=clock) as ledger:
        with pytest.raises(LedgerUnavailableError):
            ledger.settle()
        clock.now = AFTER_S
        for start in range(0, 1200, 100):
            ledger.record([entry(start + number, 20_000) for number in range(100)], LIMIT)
        backlog = ledger.backlog()
        assert backlog.used_bytes <= LIMIT_BYTES + (1 << 16)
        assert backlog.dropped_total > 0


def test_without_storage_in_memory_nothing_stands_in(place: tuple[Path, Path, Clock]) -> None:
    folder, _, clock = place
    with LedgerThread(folder, clock=clock) as ledger:
        for _ in range(3):
            with pytest.raises(LedgerUnavailableError):
                ledger.settle()
            clock.now += AFTER_S
        assert ledger.in_memory == ""
