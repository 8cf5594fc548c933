"""kill -9 of every module and of the hub during a run: flow is back in under 10 s, and every gap is accounted for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support.busy import slowdown
from support.data import real_input
from support.product import Home, Running

BACK_WITHIN_S = 10.0
SOURCE = "synthetic://conveyor?seed=3&fps=15"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", ["camera", "preprocess", "inference", "sync", "hub"])
def test_flow_is_back_within_ten_seconds_after_kill_9(tmp_path: Path, victim: str) -> None:
    model = real_input("yolox_nano.onnx")
    home = Home(tmp_path / "home")
    with home.running(SOURCE, "--model", str(model), "--pace", "realtime", VIGIE_LOG_LEVEL="debug") as run:
        run.wait_until(lambda: run.upstream_count() >= 3, timeout_s=120, what="first detections upstream")
        pid = run.hub()["pid"] if victim == "hub" else run.module_pid(victim)
        before = newest_captured(run)
        os.kill(pid, signal.SIGKILL)
        killed_at = newest_captured(run) or before
        took = run.wait_until(
            lambda: captured_after(run, killed_at), timeout_s=100, what=f"detections captured after {victim} was killed"
        )
        bar_s = BACK_WITHIN_S * slowdown()
        assert took < bar_s, f"{victim}: flow back after {took:.1f} s, with {bar_s:.1f} s on a machine as busy as this"
        run.wait_until(lambda: run.upstream_count() >= 6, timeout_s=30, what="steady flow")
    gaps_are_accounted_for(home, run, victim)


def newest_captured(run: Running) -> str:
    item = run.last_item()
    return str(item["captured_at"]) if item else ""


def captured_after(run: Running, moment: str) -> bool:
    # The window's leftovers may still come through: what counts is a frame captured after the kill.
    return newest_captured(run) > moment


def gaps_are_accounted_for(home: Home, run: Running, victim: str) -> None:
    """What inference says it inferred and what reached upstream: equal but for the window before sync's commit."""
    inferred = run.inferred_traces()
    # Delivery is at least once: killed between acknowledgement and note, sync sends a message again under its id.
    messages = {(body["boot"], body["sent"]): body for body in (message["body"] for message in home.upstream())}
    arrived = [item["trace"] for body in messages.values() for item in body["items"]]
    assert len(arrived) == len(set(arrived)), "an item arrived under two idempotency keys"
    missing = [trace for trace in inferred if trace not in set(arrived)]
    # The tail is what was on its way when the run was stopped.
    allowed = 8 if victim in {"inference", "sync", "hub"} else 4
    assert len(missing) <= allowed, f"{len(missing)} of {len(inferred)} inferred frames never arrived: {missing[:10]}"
