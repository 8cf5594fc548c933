"""The health checks that run in the containers, against a real module's endpoints and a hub's file."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import vigie.container_health as module_check
import vigie_edgehub.container_health as hub_check
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


def test_the_hub_is_healthy_while_its_port_is_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        (tmp_path / "hub.json").write_text(json.dumps({"mqtt_port": listening.getsockname()[1]}))
        assert hub_check.main(str(tmp_path)) == 0
    assert hub_check.main(str(tmp_path)) == 1
    assert hub_check.main(str(tmp_path / "nowhere")) == 1
