"""When a module that runs and makes no progress is ended, and that it really is."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from pathlib import Path

from vigie import health_restarts
from vigie_devkit.local.health_keeper import SILENT_FOR_S, STALLED_FOR_S, HealthAnswer, HealthKeeper
from vigie_devkit.local.health_watch import HealthWatch
from vigie_devkit.local.paths import RunPaths
from vigie_devkit.local.supervisor import Program, Supervisor

WELL = HealthAnswer(well=True)
STALLED = HealthAnswer(well=False, reason='{"stalled":{"inference.infer":"no progress for 61.0 s"}}')
SILENT = HealthAnswer(well=False, reason="no answer", silent=True)

SERVES = """
import http.server, json, os, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
pathlib.Path(sys.argv[1], "http.json").write_text(
    json.dumps({"host": "127.0.0.1", "port": server.server_port, "pid": os.getpid()}))
server.serve_forever()
"""


def test_a_stalled_module_is_ended_after_a_while_with_its_own_reason_and_then_judged_anew() -> None:
    keeper = HealthKeeper()
    assert keeper.look("inference", 7, WELL, 0.0) is None
    assert keeper.look("inference", 7, STALLED, 10.0) is None
    assert keeper.look("inference", 7, STALLED, 10.0 + STALLED_FOR_S - 0.1) is None
    assert keeper.look("inference", 7, STALLED, 10.0 + STALLED_FOR_S) == STALLED.reason
    assert keeper.look("inference", 8, STALLED, 11.0 + STALLED_FOR_S) is None


def test_one_good_answer_ends_the_row() -> None:
    keeper = HealthKeeper()
    for second in range(0, 600, 5):
        assert keeper.look("sync", 7, WELL if second % 15 == 0 else STALLED, float(second)) is None


def test_silence_ends_a_module_that_has_answered_before_and_not_one_that_is_starting() -> None:
    keeper = HealthKeeper()
    verdicts = [keeper.look("camera", 7, SILENT, second) for second in (0.0, 15.0, 30.0, 45.0, 60.0)]
    assert verdicts == [None] * 5
    assert keeper.look("camera", 7, WELL, 65.0) is None
    assert keeper.look("camera", 7, SILENT, 70.0) is None
    assert keeper.look("camera", 7, SILENT, 85.0) is None
    assert keeper.look("camera", 7, SILENT, 70.0 + SILENT_FOR_S) == "no answer from /healthz for 30 s"


def test_a_gap_between_two_looks_proves_nothing() -> None:
    keeper = HealthKeeper()
    keeper.look("sync", 7, WELL, 0.0)
    keeper.look("sync", 7, STALLED, 5.0)
    assert keeper.look("sync", 7, STALLED, 3600.0) is None, "the machine slept"
    assert keeper.look("sync", 7, STALLED, 3600.0 + STALLED_FOR_S) == STALLED.reason


async def test_a_frozen_module_is_started_anew_and_its_next_start_can_tell_why(tmp_path: Path) -> None:
    run = RunPaths(tmp_path, "watched")
    state = run.module("sync")
    state.mkdir(parents=True)
    supervisor, notes = Supervisor(tmp_path), []
    jumps = itertools.count(step=10)
    watch = HealthWatch(supervisor, run, ["sync"], notes.append, every_s=0.05, clock=lambda: float(next(jumps)))
    supervisor.start(
        Program("sync", [sys.executable, "-I", "-c", SERVES, str(state)], lambda: dict(os.environ), tmp_path / "log")
    )
    first = supervisor.programs["sync"].pid
    tasks = [asyncio.create_task(supervisor.run()), asyncio.create_task(watch.run())]

    def serving() -> int | None:
        try:
            return int(json.loads((state / "http.json").read_bytes())["pid"])
        except (OSError, ValueError):
            return None

    try:
        async with asyncio.timeout(120):
            while serving() != first:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)  # some looks that are answered well
            assert first is not None
            os.kill(first, signal.SIGSTOP)
            while serving() in (None, first):
                await asyncio.sleep(0.02)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await supervisor.stop([])
    told = health_restarts.read(state)
    assert told is not None
    assert (told.count, told.by, told.told) == (1, "vigie up", False)
    assert "no answer from /healthz" in told.reason
    assert any("sync makes no progress" in note for note in notes)
