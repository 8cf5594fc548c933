"""A model that really hangs in ONNX Runtime's CPU engine: a Loop of 2^62 steps, in a process that a test may end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vigie_devkit.faults.hanging_model import hanging_bundle
from vigie_inference.engines import RunWatch

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(200)


def serve(folder: Path, bundle: Path, isolate: str = "auto") -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "support.hanging_inference", str(folder), str(bundle), isolate],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.stdout, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]


def test_a_model_that_hangs_ends_the_module_and_then_runs_in_a_process_that_is_ended(tmp_path: Path) -> None:
    bundle = hanging_bundle(tmp_path / "hangs").folder
    before, failed = serve(tmp_path / "state", bundle)
    assert before == {"isolated": False, "answered": True}
    assert failed["failed"] == "model-hung"
    assert "did not end within 2 s" in failed["reason"]
    assert "TimeoutError" in failed["cause"], "a cause makes it a failure that is started again"
    started_again, survived = serve(tmp_path / "state", bundle)
    assert started_again == {"isolated": True, "answered": True}
    assert survived["again"], "frames are answered after the one that hung"
    assert "did not answer within" in survived["breaker"][0]["reason"]


def test_the_twin_can_ask_for_a_process_of_its_own_for_every_engine(tmp_path: Path) -> None:
    started, survived = serve(tmp_path / "state", hanging_bundle(tmp_path / "hangs").folder, "always")
    assert started == {"isolated": True, "answered": True}
    assert survived["again"]


def test_a_run_ages_by_ticks_so_that_a_stopped_process_or_a_sleeping_machine_does_not_look_hung() -> None:
    watch = RunWatch()
    number = watch.begin("digest", "name")
    assert [watch.tick(2) for _ in range(2)] == [None, None]
    assert watch.tick(2) == ("digest", "name")
    watch.end(number)
    assert watch.tick(2) is None
    watch.begin("other", "next")
    assert [watch.tick(2) for _ in range(3)] == [None, None, ("other", "next")]
