"""The hub is dead for a while: frames and detections go on by doorbell, and upstream catches up when it is back.

``VIGIE_TEST_HUB_AWAY_S`` says for how long; a minute is worth a run by hand.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import models
from support.product import Home, Running
from vigie_devkit.local.tree import tree

AWAY_S = float(os.environ.get("VIGIE_TEST_HUB_AWAY_S", "10"))
FPS = 10
SOURCE = f"synthetic://conveyor?seed=3&fps={FPS}&size=320x240"


@pytest.mark.timeout(240 + AWAY_S)
def test_frames_go_on_while_the_hub_is_dead_and_all_of_them_reach_upstream_once(tmp_path: Path) -> None:
    model = models.save(models.yolox((64, 96)), tmp_path)
    home = Home(tmp_path / "home")
    with home.running(SOURCE, "--model", str(model), "--pace", "realtime", VIGIE_LOG_LEVEL="debug") as run:
        run.wait_until(lambda: all_ring(run), timeout_s=90, what="doorbells from camera to sync, and messages upstream")
        with hub_kept_dead(run) as deaths:
            run.wait_until(lambda: not connected(run), timeout_s=60, what="the modules notice")
            before, until = committed(run), time.monotonic() + AWAY_S
            run.wait_until(lambda: time.monotonic() > until, timeout_s=AWAY_S + 30, what="the time to pass")
            meanwhile = committed(run) - before
            assert not connected(run)
        # A third of them, because tests share a machine; what is missing was dropped by the camera, counted.
        assert meanwhile >= AWAY_S * FPS / 3, f"{meanwhile:.0f} frames committed in {AWAY_S:g} s without a hub"
        assert deaths, "the hub was not killed"
        goal = committed(run)
        run.wait_until(lambda: connected(run), timeout_s=60, what="the hub is back")
        run.wait_until(lambda: sent_upstream(run) >= goal, timeout_s=90, what="upstream to catch up")
    inferred = run.inferred_traces()
    arrived = [item["trace"] for item in home.items()]
    assert len(arrived) == len(set(arrived)), "an item arrived twice"
    # What was on its way when the run was stopped is the end of it and nothing else.
    missing = set(inferred) - set(arrived)
    assert missing <= set(inferred[-8:]), f"{len(missing)} of {len(inferred)} inferred frames never arrived"


@contextmanager
def hub_kept_dead(run: Running) -> Iterator[list[int]]:
    """``kill -9`` of the hub and of each that `up` starts in its place, before it can listen. Yields their pids."""
    stop, killed = threading.Event(), list[int]()

    def keep_killing() -> None:
        while not stop.is_set():
            for pid in hubs_of(run.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            stop.wait(0.05)

    thread = threading.Thread(target=keep_killing, name="hub-killer")
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def hubs_of(parent: int) -> list[int]:
    """Children of ``parent`` that are hubs."""
    found = []
    for pid in tree(parent)[1:]:
        with contextlib.suppress(OSError):
            if b"vigie_edgehub" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def all_ring(run: Running) -> bool:
    outputs = {"camera": "frames", "preprocess": "tensors", "inference": "detections"}
    try:
        # Some messages upstream: until `up` has seen one, it takes a hub that keeps ending for one that cannot work.
        return run.metrics("sync").get("vigie_upstream_messages_total", 0) >= 3 and all(
            run.metrics(module).get(f'vigie_doorbell_messages_total{{output="{output}"}}', 0) > 5
            for module, output in outputs.items()
        )
    except OSError:
        return False  # still starting


def connected(run: Running) -> bool:
    return any(run.metrics(module)["vigie_hub_connected"] for module in ("camera", "preprocess", "inference", "sync"))


def committed(run: Running) -> float:
    return run.metrics("sync").get("vigie_items_committed_total", 0.0)


def sent_upstream(run: Running) -> float:
    """Items that the hub has acknowledged to sync."""
    metrics = run.metrics("sync")
    return metrics.get("vigie_items_committed_total", 0.0) - metrics.get("vigie_ledger_backlog", 0.0)
