"""Sync and hub killed, uplink cut, at random moments: nothing acknowledged is missing, and order holds.

``VIGIE_OUTBOX_KILLS=100`` is the long run (docs/benchmarks/upstream.md has its counts).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
KILLS = int(os.environ.get("VIGIE_OUTBOX_KILLS", "3"))
SEED = int(os.environ.get("VIGIE_OUTBOX_SEED", "7"))


@pytest.mark.timeout(300 + 60 * KILLS)
def test_nothing_acknowledged_is_missing_and_order_holds_whatever_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, str(TESTS / "support/outbox_kill.py"), str(tmp_path), str(SEED), str(KILLS)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr[-4000:]
    report = json.loads(run.stdout)
    print(report)
    assert report["acknowledged"] > 20
    assert (report["missing"], report["out_of_order"]) == (0, 0), report
    assert sum(report["kills"].values()) >= KILLS, report
