"""kill -9 at random moments on a disk that others fill at random: nothing that was committed is lost.

``VIGIE_TEST_KILLS`` sets how many kills; the default is short.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
KILLS = os.environ.get("VIGIE_TEST_KILLS", "12")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "vigie-test", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"mounting a small tmpfs needs root: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


@pytest.mark.timeout(1200)
def test_kills_and_a_disk_that_others_fill_lose_nothing_that_was_committed(small_disk: Path) -> None:
    command = [sys.executable, "-m", "support.full_disk_crash", str(small_disk), "7", KILLS]
    run = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=1100, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    report = json.loads(run.stdout)
    assert report["filled"] > 0
    assert report["committed"] > 50
    kept = ("lost", "twice", "out_of_order", "gaps_in_numbers", "set_aside", "changed")
    assert {name: report[name] for name in kept} == dict.fromkeys(kept, 0), report
