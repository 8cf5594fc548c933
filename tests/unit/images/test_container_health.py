"""The health checks that run in the containers, against a real module's endpoints and a hub's file."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import vigie.container_health as module_check
import vigie_edgehub.container_health as hub_check
from support.hub import manifest, running_hub
from support.mean_hub import wait_until
from vigie.endpoints import serve_endpoints
from vigie.health import Health
from vigie.metrics import Metrics


def check(state: Path) -> subprocess.CompletedProcess[str]:
    """As the image runs it: by path, isolated, without site-packages."""
    command = [sys.executable, "-I", "-S", "-B", module_check.__file__]
    return subprocess.run(command, env={"VIGIE_STATE": str(state)}, capture_output=True, text=True, check=False)


async def test_a_module_that_makes_progress_is_healthy_and_one_that_stalls_is_not(tmp_path: Path) -> None:
    now = [0.0]
    health = Health(clock=lambda: now[0])
    health.watch("capture", limit_s=5.0)
    async with serve_endpoints(("127.0.0.1", 0), Metrics(), health, tmp_path):
        well = await asyncio.to_thread(check, tmp_path)
        now[0] = 60.0
        stalled = await asyncio.to_thread(check, tmp_path)
    assert (well.returncode, well.stderr) == (0, "")
    assert (stalled.returncode, stalled.stderr) == (1, "")
    assert stalled.stdout.startswith("503 ")
    assert "capture" in stalled.stdout


def test_before_the_module_answers_it_is_not_healthy_and_says_why(tmp_path: Path) -> None:
    checked = check(tmp_path)
    assert checked.returncode == 1
    assert checked.stdout.startswith("no answer: ")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"host": "127.0.0.1", "port": "x"}'])
def test_a_file_that_is_none_is_no_traceback(tmp_path: Path, content: str) -> None:
    (tmp_path / "http.json").write_text(content)
    checked = check(tmp_path)
    assert (checked.returncode, checked.stderr) == (1, "")


def test_a_port_that_is_open_and_never_answers_is_no_healthy_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_check, "TIMEOUT_S", 0.2)  # the wait is not what is tested
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told = {"listen": "127.0.0.1", "mqtt_port": listening.getsockname()[1], "pid": os.getpid()}
        (tmp_path / "hub.json").write_text(json.dumps(told))
        # It never answered well: a start takes its time, and nobody is ended.
        assert hub_check.main(str(tmp_path), end_after_s=0.0, kill_after_s=0.0) == 1
    assert hub_check.main(str(tmp_path)) == 1
    assert hub_check.main(str(tmp_path / "nowhere")) == 1


def test_a_hub_that_answered_and_hangs_is_ended(tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest({})) as hub:
        state = str(hub.state)
        assert hub_check.main(state, end_after_s=0.0) == 0
        os.kill(hub.pid, signal.SIGSTOP)
        assert hub_check.main(state, end_after_s=30.0) == 1
        assert hub.running
        assert hub_check.main(state, end_after_s=1.0) == 1
        wait_until(lambda: not hub.running)


@pytest.mark.parametrize(
    ("bad_s", "ended", "expected"),
    [(None, 0, 0), (59.0, 0, 0), (60.0, 0, signal.SIGTERM), (75.0, signal.SIGTERM, 0), (90.0, 15, signal.SIGKILL)],
)
def test_a_hub_is_asked_to_end_after_a_minute_and_killed_half_a_minute_later(
    bad_s: float | None, ended: int, expected: int
) -> None:
    row = {"at": 1000.0, "bad_since": None if bad_s is None else 1000.0 - bad_s, "ended": ended}
    assert hub_check.due(row, 60.0, 90.0) == expected


def test_the_row_of_bad_answers_of_a_hub_begins_anew_with_each_start_and_after_a_sleep() -> None:
    good = hub_check.row_after({}, "7 100", 0.0, well=True)
    bad = hub_check.row_after(hub_check.row_after(good, "7 100", 5.0, well=False), "7 100", 10.0, well=False)
    assert (bad["bad_since"], bad["answered"]) == (5.0, True)
    assert hub_check.row_after(bad, "7 100", 12.0, well=True)["bad_since"] is None
    assert hub_check.row_after(bad, "7 999", 12.0, well=False)["bad_since"] is None
    assert hub_check.row_after(bad, "7 100", 4000.0, well=False)["bad_since"] == 4000.0
