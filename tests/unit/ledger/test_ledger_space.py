"""A volume that is full, by the ledger itself or by others, on real small file systems."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from vigie.errors import LedgerUnavailableError
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.rows import LedgerEntry
from vigie.ledger.space import Reserve, shares

MIB = 1 << 20
NO_LIMIT = 1 << 40


@pytest.fixture(params=[12, 24, 40])
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "volume"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={request.param}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("a small file system needs root and mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def entries(first: int, count: int) -> list[LedgerEntry]:
    return [
        LedgerEntry(f"dock-{n}", "dock", b'{"seq":%d,"pad":"%s"}' % (n, b"x" * 2000))
        for n in range(first, first + count)
    ]


def record_until_full(ledger: LedgerThread, first: int = 0, most_bytes: int = 200 * MIB) -> int:
    """The number of the first item that was refused."""
    for number in range(first, first + most_bytes // 2000, 20):
        try:
            ledger.record(entries(number, 20), NO_LIMIT)
        except LedgerUnavailableError:
            return number
    raise AssertionError("never full")


def drain(ledger: LedgerThread) -> list[int]:
    """Numbers of the items that were sent, in order."""
    sent: list[int] = []
    while (batch := ledger.next_batch("sync", 100, lambda _: 200_000)) is not None:
        body = msgspec.json.decode(batch.body)
        sent += [item["seq"] for item in body["items"]]
        ledger.acknowledge(batch)
    return sent


def test_a_ledger_without_a_bound_keeps_within_its_volume_drops_the_oldest_and_drains(volume: Path) -> None:
    with LedgerThread(volume) as ledger:
        count = 2 * os.statvfs(volume).f_blocks * os.statvfs(volume).f_frsize // 2000
        count -= count % 20
        for first in range(0, count, 20):
            ledger.record(entries(first, 20), NO_LIMIT)
        dropped = ledger.backlog().dropped_total
        assert 0 < dropped < count
        assert drain(ledger) == list(range(dropped, count))


def test_a_volume_that_others_fill_loses_nothing_drains_and_records_again_when_there_is_room(volume: Path) -> None:
    with LedgerThread(volume) as ledger:
        ledger.record(entries(0, 20), NO_LIMIT)
        others = volume / "others"
        with others.open("wb") as file:
            while True:
                try:
                    file.write(bytes(MIB))
                    file.flush()
                except OSError:
                    break
        refused = record_until_full(ledger, 20)
        facts = os.statvfs(volume)
        assert facts.f_bavail * facts.f_frsize < MIB, "the volume is not full: the test would prove nothing"
        before = ledger.backlog()
        assert (before.items, before.dropped_total) == (refused, 0)
        sent = drain(ledger)
        assert sent == list(range(refused))
        # What was drained is room in the ledger's own file.
        ledger.record(entries(refused, 20), NO_LIMIT)
        others.unlink()
        ledger.record(entries(refused + 20, 20), NO_LIMIT)
        assert drain(ledger) == list(range(refused, refused + 40))
        assert (volume / "ledger.db.reserve").exists(), "the reserve is not made again"


def test_a_restart_on_a_full_volume_still_drains(volume: Path) -> None:
    with LedgerThread(volume) as ledger:
        ledger.record(entries(0, 200), NO_LIMIT)
        with (volume / "others").open("wb") as file:
            while True:
                try:
                    file.write(bytes(MIB // 4))
                    file.flush()
                except OSError:
                    break
        refused = record_until_full(ledger, 200)
    with LedgerThread(volume) as ledger:
        assert drain(ledger) == list(range(refused))


def test_a_lower_bound_takes_effect_without_a_long_log_and_gives_the_disk_back(tmp_path: Path) -> None:
    with LedgerThread(tmp_path) as ledger:
        for first in range(0, 12_000, 200):
            ledger.record(entries(first, 200), NO_LIMIT)
        large = (tmp_path / "ledger.db").stat().st_size
        assert large > 20 * MIB
        recorded = ledger.record(entries(12_000, 1), 2 * MIB)
        assert recorded.dropped_total > 10_000
        assert ledger.backlog().used_bytes <= 2 * MIB + MIB // 2
        assert (tmp_path / "ledger.db-wal").stat().st_size < 10 * MIB
        number = 12_001
        while (tmp_path / "ledger.db").stat().st_size > 8 * MIB:
            ledger.record(entries(number, 1), 2 * MIB)
            ledger.settle()
            number += 1
            assert number < 12_200, "the file does not shrink"
        assert drain(ledger)[-1] == number - 1


def test_a_small_volume_is_shared_out_and_a_large_one_gives_four_megabytes() -> None:
    small, large = shares(12 * MIB), shares(1 << 40)
    assert (small.reserve, small.log, small.ledger) == (2 * MIB, 2 * MIB, 6 * MIB)
    assert (large.reserve, large.log) == (4 * MIB, 4 * MIB)
    assert large.ledger > (1 << 40) - 16 * MIB


def test_a_reserve_is_made_only_where_as_much_again_stays_free(volume: Path) -> None:
    facts = os.statvfs(volume)
    free = facts.f_bavail * facts.f_frsize
    assert not Reserve(volume / "reserve", free // 2 + MIB).make()
    assert not (volume / "reserve").exists()
    reserve = Reserve(volume / "reserve", free // 4)
    assert reserve.make()
    assert reserve.there
    after = os.statvfs(volume)
    assert after.f_bavail * after.f_frsize <= free - free // 4
    reserve.release()
    assert not reserve.there
