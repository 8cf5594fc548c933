"""Quiet hours, budgets per day and a rate: pure, time as an argument."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from vigie.config.mistakes import mistakes
from vigie.ledger.spent import Spent
from vigie.transfers import QuietHours, Rate
from vigie_sync.config import SyncConfig
from vigie_sync.sending import Hold, Sending, hold

NIGHT_IN_PARIS = Sending(quiet_hours=QuietHours(begin="22:00", end="06:00", time_zone="Europe/Paris"))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "quiet"),
    [
        ("2026-11-28 20:59", False), ("2026-11-28 21:00", True),
        ("2026-11-29 04:59", True), ("2026-11-29 05:00", False),
        ("2026-07-01 19:59", False), ("2026-07-01 20:00", True),
        ("2026-07-02 03:59", True), ("2026-07-02 04:00", False),
    ],
    ids=["winter: before", "begins", "until", "over", "summer: before", "begins", "until", "over"],
)  # fmt: skip
def test_quiet_hours_are_those_of_their_time_zone_in_winter_and_summer(at: str, quiet: bool) -> None:
    assert hold(NIGHT_IN_PARIS, Spent(), utc(at)) == (Hold.QUIET_HOURS if quiet else None)


def test_the_day_of_quiet_hours_over_midnight_is_the_local_day_on_which_they_begin() -> None:
    friday = QuietHours(begin="22:00", end="06:00", days=["fri"], time_zone="America/New_York")
    sending = Sending(quiet_hours=friday)
    assert hold(sending, Spent(), utc("2026-11-28 04:00")) == Hold.QUIET_HOURS  # Friday 23:00 there
    assert hold(sending, Spent(), utc("2026-11-28 10:00")) == Hold.QUIET_HOURS  # Saturday 05:00
    assert hold(sending, Spent(), utc("2026-11-29 04:00")) is None  # Saturday 23:00


@pytest.mark.parametrize("limit", ["bytes_per_day", "messages_per_day", "pieces_per_day"])
def test_a_budget_holds_until_the_day_is_over_in_utc(limit: str) -> None:
    sending = msgspec.convert({limit: 3}, Sending)
    spent = Spent("2026-11-28", 3, 3, 3)
    assert hold(sending, spent, utc("2026-11-28 23:59")) == Hold(limit)
    assert hold(sending, spent, utc("2026-11-29 00:00")) is None
    assert hold(sending, Spent("2026-11-28", 2, 2, 2), utc("2026-11-28 12:00")) is None


def test_without_a_clock_there_are_no_hours_and_no_days() -> None:
    assert hold(NIGHT_IN_PARIS, Spent("2026-11-28", 9, 9, 9), None) is None


def test_what_was_spent_is_of_its_day_and_a_clock_that_goes_back_begins_no_new_one() -> None:
    spent = Spent().plus("2026-11-28", 100, 1).plus("2026-11-28", 5_000, 2)
    assert spent == Spent("2026-11-28", 2, 3, 5_100)
    assert spent.plus("2026-11-27", 1, 1) == Spent("2026-11-28", 3, 4, 5_101)
    assert spent.plus("", 1, 1) == Spent("2026-11-28", 3, 4, 5_101), "a clock that cannot be right"
    assert spent.plus("2026-11-29", 7, 1) == Spent("2026-11-29", 1, 1, 7)
    assert Spent("2099-01-01", 5, 5, 5).plus("2026-11-28", 7, 1) == Spent("2026-11-28", 1, 1, 7)


def test_a_rate_is_kept_exactly_over_messages_of_any_size() -> None:
    rate, now = Rate(1_000), 0.0
    sent = 0
    for size in (100, 10_000, 1, 4_096, 700) * 20:
        now += rate.wait_s(now)
        rate.sent(size, now)
        sent += size
    now += rate.wait_s(now)
    assert now == pytest.approx(sent / 1_000)


def test_a_new_rate_takes_effect_on_what_is_still_owed() -> None:
    rate = Rate(1_000)
    rate.sent(10_000, 0.0)
    rate.change(10_000, 0.0)
    assert rate.wait_s(0.0) == pytest.approx(1.0)
    rate.change(None, 0.0)
    assert rate.wait_s(0.0) == 0.0


def test_a_time_zone_that_is_not_known_is_refused_with_its_path_and_what_is_expected() -> None:
    document = {"sending": {"quiet_hours": {"begin": "22:00", "end": "06:00", "time_zone": "Europe/Pariss"}}}
    [mistake] = mistakes(SyncConfig, document)
    assert str(mistake) == (
        "$.sending.quiet_hours: time zone 'Europe/Pariss' is not known here; expected a name as Europe/Paris, or UTC"
    )
