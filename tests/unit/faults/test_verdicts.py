"""What the fault kit concludes from what it saw: loss, repeats, order, growth, and the page."""

from __future__ import annotations

import random
from datetime import date

import pytest

from vigie_devkit.faults.account import Account
from vigie_devkit.faults.page import PROCESSES, made_by, marks, put_into, table
from vigie_devkit.faults.registry import all_faults
from vigie_devkit.faults.slopes import WARM_UP_S, ProcessSample, slopes
from vigie_devkit.faults.trial import Result


def envelope(sent: int, *traces: str, ledger: str = "aa") -> dict[str, object]:
    return {"boot": ledger, "sent": sent, "items": [{"trace": trace, "captured_ns": sent} for trace in traces]}


@pytest.mark.parametrize(
    ("envelopes", "lost", "twice", "unordered", "unreadable"),
    [
        ([envelope(1, "dock-b-1"), envelope(2, "dock-b-2", "dock-b-3")], 0, 0, 0, 0),
        ([envelope(1, "dock-b-1"), envelope(4, "dock-b-9")], 2, 0, 0, 0),
        ([envelope(1, "dock-b-1"), envelope(1, "dock-b-1"), envelope(2, "dock-b-2")], 0, 0, 0, 0),
        ([envelope(1, "dock-b-1"), envelope(2, "dock-b-1")], 0, 1, 0, 0),
        ([envelope(1, "dock-b-5"), envelope(2, "dock-b-4")], 0, 0, 1, 0),
        ([envelope(1, "dock-b-5"), envelope(2, "dock-c-1"), envelope(3, "yard-b-1")], 0, 0, 0, 0),
        ([envelope(7, "dock-b-1"), envelope(1, "dock-b-2", ledger="bb")], 6, 0, 0, 0),
        ([envelope(1, "dock-b-1"), None, {"schema": "x"}], 0, 0, 0, 2),
    ],
    ids=[
        "all-well",
        "a-gap",
        "same-message-again",
        "same-item-in-another-message",
        "out-of-order",
        "two-starts-two-cameras",
        "new-ledger",
        "no-json",
    ],
)
def test_what_arrived_is_counted(
    envelopes: list[dict[str, object] | None], lost: int, twice: int, unordered: int, unreadable: int
) -> None:
    account = Account()
    account.take(envelopes)
    assert (account.lost(), account.twice, account.unordered, account.unreadable) == (
        lost,
        twice,
        unordered,
        unreadable,
    )


def series(per_hour: float, *, noise: float = 0.5, restarts: int = 3, name: str = "sync") -> list[ProcessSample]:
    """Two hours of samples; a process starts anew with another level each time."""
    dice = random.Random(4)
    samples = []
    for number in range(480):
        at_s = number * 15.0
        pid = number * restarts // 480
        level = 60.0 + 20.0 * pid + per_hour * (at_s / 3600) + dice.gauss(0, noise)
        samples.append(ProcessSample(at_s, name, pid, {"memory_mb": level}))
    return samples


def test_a_leak_is_found_over_restarts_and_the_levels_of_restarts_are_no_leak() -> None:
    [leak] = slopes(series(9.0))
    assert leak.grows
    assert leak.per_hour == pytest.approx(9.0, abs=1.0)
    [flat] = slopes(series(0.0))
    assert not flat.grows


def lives(minutes: float, count: int, per_hour: float, seed: int) -> list[ProcessSample]:
    """Many short lives; in each a thread more or less comes at random and stays for minutes."""
    dice = random.Random(seed)
    samples = []
    for pid in range(count):
        begun_s, more = pid * minutes * 60, 0
        for number in range(int(minutes * 4)):
            if number % 20 == 0:
                more = dice.choice([0, 0, 1, 3])
            level = 25 + more + int(per_hour * number * 15 / 3600)
            samples.append(ProcessSample(begun_s + number * 15.0, "sync", pid, {"threads": level}))
    return samples


@pytest.mark.parametrize("seed", range(20))
def test_steps_that_come_and_go_in_short_lives_are_not_growth(seed: int) -> None:
    [found] = slopes(lives(15, 8, 0.0, seed))
    assert not found.grows


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_among_steps_that_come_and_go_is_found(seed: int) -> None:
    [found] = slopes(lives(60, 2, 12.0, seed))
    assert found.grows


def test_the_first_minutes_of_a_process_are_not_judged() -> None:
    rising = [ProcessSample(at, "hub", 1, {"threads": at / 10}) for at in range(0, int(WARM_UP_S), 15)]
    [found] = slopes(rising)
    assert (found.per_hour, found.grows) == (None, False)


def test_the_page_gets_the_table_between_its_marks_and_a_broken_promise_is_in_it() -> None:
    faults = all_faults()
    results = [Result("kill-sync", back_s=2.5), Result("kill-hub", unmet=("3 lost",), lost=3)]
    made = table(faults, results, made_by("./vigie faults --seed 1", "2 CPUs", date(2026, 11, 28)))
    begin, end = marks(PROCESSES)
    page = put_into(f"head\n{begin}\nold\n{end}\ntail\n", made)
    assert "old" not in page
    assert page.startswith("head\n")
    assert page.endswith("tail\n")
    assert "1 of 2 promises kept" in page
    assert "**not kept**: 3 lost" in page
    with pytest.raises(ValueError, match="lacks the marks"):
        put_into("no marks", made)


def test_there_are_many_faults_and_each_promises_something_an_operator_can_see_or_a_time() -> None:
    faults = all_faults()
    assert len(faults) >= 30
    assert all(0 < one.back_within_s <= 120 for one in faults.values())
    assert len({one.what for one in faults.values()}) == len(faults)
