"""The whole system killed at random while others fill its disks: `./vigie faults --kills`, a short run of it."""

from __future__ import annotations

import os

import pytest

from vigie_devkit.faults.kills import kill_at_random


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting small disks needs root")
def test_six_kills_of_anything_while_disks_fill_lose_nothing_that_was_recorded() -> None:
    report = kill_at_random(11, 6, lambda _: None)
    assert report.kills.total() >= 6
    assert report.filled.total() >= 1
    assert report.items > 0
    assert (report.lost, report.missing, report.twice, report.unordered) == (0, 0, 0, 0), report.words()
