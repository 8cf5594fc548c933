"""Sync's ledger against ``kill -9``, a hundred times at random moments: nothing is lost, nothing comes twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "support/ledger_crash.py"


@pytest.mark.parametrize("seed", [1, 2])
def test_no_committed_item_is_lost_and_none_comes_twice_after_the_idempotency_key(tmp_path: Path, seed: int) -> None:
    command = [sys.executable, str(PROGRAM), str(tmp_path), str(seed), "100"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["committed"] > 500
    assert (report["lost"], report["twice"], report["out_of_order"], report["gaps_in_numbers"]) == (0, 0, 0, 0)
    assert report["repeated"] > 0, "no kill fell between sending and acknowledging: the run proves nothing"
    assert report["changed"] == 0, "a message id stands for the same bytes for ever"
