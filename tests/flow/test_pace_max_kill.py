"""At pace max every frame counts: those that go down with a killed preprocess are counted, and the sum is right."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from support import models
from support.product import Home, Running

FRAMES = 400
SOURCE = "synthetic://conveyor?seed=3&size=320x240"


@pytest.mark.timeout(400)
def test_every_frame_is_inferred_or_counted_when_preprocess_is_killed_with_frames_in_hand(tmp_path: Path) -> None:
    model = models.save(models.yolox((64, 96)), tmp_path)
    home = Home(tmp_path / "home")
    words = (SOURCE, "--model", str(model), "--pace", "max", "--frames", str(FRAMES), "--json")
    with home.running(*words) as run:
        run.wait_until(lambda: captured(run) >= 40, timeout_s=120, what="frames flow")
        inference, preprocess = run.module_pid("inference"), run.module_pid("preprocess")
        # While inference takes nothing, preprocess has tensors in hand that it cannot send.
        os.kill(inference, signal.SIGSTOP)
        try:
            wait_for_a_full_flow(run)
            os.kill(preprocess, signal.SIGKILL)
        finally:
            os.kill(inference, signal.SIGCONT)
        run.process.wait(300)
    summary = json.loads(next(line for line in run.tail().splitlines() if '"frames_captured"' in line))
    assert summary["frames_captured"] == FRAMES
    assert summary["dropped"].get("preprocess_died", 0) > 0, "nothing went down: the test proves nothing"
    assert summary["frames_inferred"] + sum(summary["dropped"].values()) == FRAMES
    seqs = [item["seq"] for item in home.items()]
    assert len(seqs) == len(set(seqs)) == summary["frames_inferred"]


def captured(run: Running) -> float:
    try:
        found = run.metrics("camera")
    except OSError:  # it has not begun to answer
        return 0.0
    return sum(value for name, value in found.items() if name.startswith("vigie_frames_captured_total"))


def wait_for_a_full_flow(run: Running) -> None:
    """Until the camera waits, as it does at pace max once all windows and rings are full: no frame within 2 s."""
    last, since = captured(run), time.monotonic()

    def stands() -> bool:
        nonlocal last, since
        if (now := captured(run)) != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > 2.0

    run.wait_until(stands, timeout_s=40, what="the flow to back up")
