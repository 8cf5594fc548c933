"""Modules and hub killed, uplink and storage account cut, at random moments: nothing acknowledged is missing anywhere.

``VIGIE_DEVICE_KILLS=100`` is the long run (docs/reliability.md has its counts).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.azurite import Azurite

TESTS = Path(__file__).parents[1]
KILLS = int(os.environ.get("VIGIE_DEVICE_KILLS", "3"))
SEED = int(os.environ.get("VIGIE_DEVICE_SEED", "2026"))


@pytest.mark.timeout(1200 + 120 * KILLS)
def test_events_reach_cloud_and_webhook_and_files_the_account_whatever_is_killed(tmp_path: Path) -> None:
    Azurite(tmp_path / "azurite")  # skips where it cannot be installed
    command = [sys.executable, str(TESTS / "support/device_kill.py"), str(tmp_path), str(SEED), str(KILLS)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr[-4000:]
    report = json.loads(run.stdout)
    print(report)
    for way in ("upstream", "webhook"):
        assert report[way]["acknowledged"] > 20, report
        assert (report[way]["missing"], report[way]["out_of_order"]) == (0, 0), report
    files = report["files"]
    assert (files["missing"], files["differ"]) == (0, 0), report
    assert files["chosen"] == files["told"] == 2 * KILLS, report
    assert sum(report["kills"].values()) == KILLS, report
