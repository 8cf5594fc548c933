"""The process around a module: signals, deadlines, exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import asyncio, sys, threading, time
from vigie.process import run_module

async def main(env):
    print("up", flush=True)
    what = sys.argv[1]
    if what == "hangs":
        time.sleep(60)
    if what == "fails":
        raise RuntimeError("rtsp://user:geheim@cam/ does not open")
    if what == "thread":
        threading.Thread(target=time.sleep, args=(60,)).start()
    await asyncio.Event().wait()

raise SystemExit(run_module("camera", main))
"""


def start(tmp_path: Path, what: str, **environment: str) -> subprocess.Popen[str]:
    script = tmp_path / "module.py"
    script.write_text(MODULE)
    return subprocess.Popen(
        [sys.executable, str(script), what],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"VIGIE_LOG": "json", **environment},
    )  # fmt: skip


@pytest.mark.parametrize("what", ["waits", "thread"], ids=["a task", "and a thread that does not end"])
def test_a_module_stops_on_request_with_exit_code_0(tmp_path: Path, what: str) -> None:
    process = start(tmp_path, what)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_a_module_that_hangs_is_ended_within_the_deadline(tmp_path: Path) -> None:
    process = start(tmp_path, "hangs")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 3


def test_a_module_that_fails_says_why_without_the_password(tmp_path: Path) -> None:
    process = start(tmp_path, "fails")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert '"event": "module_failed"' in errors
    assert "user:***@cam" in errors
    assert "geheim" not in errors


def test_a_misconfigured_module_is_one_line(tmp_path: Path) -> None:
    process = start(tmp_path, "waits", VIGIE_HTTP="nowhere")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "VIGIE_HTTP: expected address:port, got 'nowhere'" in errors
    assert len(errors.splitlines()) == 1


NO_MEMORY = """
import asyncio, resource, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from vigie.process import run_module

def receiver():
    # As the hub client's receiver does: work is handed to a pool, from a thread that nobody watches.
    pool = ThreadPoolExecutor(64)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 20), -1))
    asleep = threading.Event()
    for _ in range(64):
        pool.submit(asleep.wait)

async def main(env):
    threading.Thread(target=receiver, name="sdk.receiver").start()
    await asyncio.Event().wait()

raise SystemExit(run_module("camera", main))
"""


def test_a_thread_that_cannot_be_started_ends_the_module_with_the_reason(tmp_path: Path) -> None:
    script = tmp_path / "module.py"
    script.write_text(NO_MEMORY)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={"VIGIE_LOG": "json"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert '"thread_not_started"' in done.stderr
    assert "can't start new thread" in done.stderr


DIES = """
import asyncio, threading
from vigie.process import run_module

def worker():
    raise ZeroDivisionError("rtsp://user:geheim@cam/ divided")

async def main(env):
    # A library's thread, which the module neither started nor watches.
    thread = threading.Thread(target=worker, name="library.worker")
    thread.start()
    thread.join()

raise SystemExit(run_module("camera", main))
"""


def test_a_thread_that_nobody_watches_is_logged_with_its_name_when_it_dies(tmp_path: Path) -> None:
    script = tmp_path / "module.py"
    script.write_text(DIES)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={"VIGIE_LOG": "json"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    [died] = [line for line in lines if line["event"] == "thread_died"]
    assert (died["thread"], died["level"], died["module"]) == ("library.worker", "error", "camera")
    assert "ZeroDivisionError" in died["reason"]
    assert "geheim" not in done.stderr
