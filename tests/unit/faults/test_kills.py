"""Kills at random on small disks: the same story for the same seed, and a report that hides nothing."""

from __future__ import annotations

from collections import Counter

from vigie_devkit.faults.kills import DISKS, KillReport, plan


def test_the_same_seed_kills_the_same_processes_on_the_same_full_disks() -> None:
    assert plan(4, 100) == plan(4, 100)
    assert plan(4, 100) != plan(5, 100)
    assert plan(4, 40) == plan(4, 100)[:40]


def test_a_hundred_kills_reach_every_process_and_fill_every_disk_and_leave_some_alone() -> None:
    planned = plan(4, 100)
    assert {one.victim for one in planned} == {"sync", "hub", "inference", "preprocess", "camera", "everything"}
    assert {one.disk for one in planned} == {*DISKS, ""}
    assert 20 <= sum(one.flows for one in planned) <= 60


def test_what_was_not_kept_stands_in_the_report() -> None:
    report = KillReport(4, kills=Counter(sync=2, hub=1), filled=Counter({"modules/sync": 1}), items=1200, recorded=90)
    report.back_s, report.ledgers, report.seconds = 3.25, 1, 120.0
    assert report.words().startswith("3 kills with seed 4 in 2 min (hub 1, sync 2), disks filled 1 times")
    assert report.words().endswith("1 ledger; flow back 3.2 s after the last.")
    report.unmet.append("2 messages lost")
    assert report.words().endswith("**Not kept**: 2 messages lost.")
