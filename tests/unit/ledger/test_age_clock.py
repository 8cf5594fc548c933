"""Ages of items where the device's clock is wrong, is set, or begins in 1970."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from vigie.ledger.age_clock import AgeClock, Stamp, plausible
from vigie.ledger.bounds import Bounds, LedgerRules, OutboxBounds
from vigie.ledger.ledger import Ledger
from vigie.ledger.rows import LedgerEntry

TODAY = 1_795_860_000.0  # 2026-11-28
HOUR = 3600.0
NEW = Stamp(0, 0)


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def clocks(wall: float, saved: Stamp = NEW) -> tuple[AgeClock, Clock, Clock]:
    monotonic, wall_clock = Clock(1_000.0), Clock(wall)
    return AgeClock(saved, monotonic=monotonic, wall=wall_clock), monotonic, wall_clock


def test_a_clock_that_is_set_while_the_module_runs_makes_nothing_older_and_is_told() -> None:
    age, monotonic, wall = clocks(TODAY)
    monotonic.now += 10
    wall.now += 10
    assert (age.now_ms(), age.doubt()) == (10_000, None)
    wall.now += 400 * 24 * HOUR
    monotonic.now += 5
    assert age.now_ms() == 15_000
    assert "the clock was set by +34559995 s while the module ran" in age.doubt()


@pytest.mark.parametrize(
    ("before", "now", "expected_s"),
    [(TODAY, TODAY + HOUR, HOUR), (TODAY, TODAY - HOUR, 0), (5.0, TODAY, 0), (TODAY, 5.0, 0)],
    ids=["an hour off", "the clock went back", "was in 1970", "is in 1970"],
)
def test_time_off_counts_only_where_the_clock_can_tell(before: float, now: float, expected_s: float) -> None:
    age, _, _ = clocks(now, Stamp(60_000, int(before * 1000)))
    assert age.now_ms() == 60_000 + expected_s * 1000


@pytest.mark.parametrize(("day", "believed"), [("2025-12-31T23:59:59", False), ("2026-01-01T00:00:00", True)])
def test_a_clock_is_believed_from_the_first_day_of_2026_on(day: str, believed: bool) -> None:
    assert plausible(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) is believed


def test_a_device_that_boots_in_1970_says_so() -> None:
    age, _, _ = clocks(12.0)
    assert age.doubt().startswith("the clock shows 1970-01-01 00:00 UTC, which cannot be: set it (NTP)")


def test_items_of_a_first_boot_in_1970_are_not_too_old_when_the_clock_is_right(tmp_path: Path) -> None:
    monotonic, wall = Clock(0.0), Clock(30.0)
    rules = LedgerRules(bounds=OutboxBounds(detections=Bounds(ttl_seconds=3600)))
    first = Ledger(tmp_path / "ledger.db", clock=monotonic, wall=wall)
    first.configure(rules)
    first.record([LedgerEntry("dock-1", "dock", b"{}")], 1 << 40)
    wall.now = TODAY
    monotonic.now = 20.0
    first.record([LedgerEntry("dock-2", "dock", b"{}")], 1 << 40)
    assert first.backlog().items == 2
    assert first.backlog().clock is not None
    first.close()
    wall.now += HOUR / 2
    again = Ledger(tmp_path / "ledger.db", clock=monotonic, wall=wall)
    again.configure(rules)
    again.settle()
    assert (again.backlog().items, again.backlog().clock) == (2, None)
    again.close()
    wall.now += 2 * HOUR
    last = Ledger(tmp_path / "ledger.db", clock=monotonic, wall=wall)
    last.configure(rules)
    last.settle()
    assert (last.backlog().items, last.backlog().dropped) == (0, {"too_old": 2})
    last.close()
