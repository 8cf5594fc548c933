"""A command that is ended by a signal cleans up, and what it started ends with it, however it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vigie_devkit.local.processes import ProcessId, start_ticks

# A runner in the background may have SIGINT ignored, and what it starts inherits that.
COMMAND = """
import argparse, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from vigie_devkit.cli import run_handler
def handler(_args):
    try:
        print("ready", flush=True)
        while True:
            signal.pause()
    finally:
        print("cleaned", flush=True)
{before}
sys.exit(run_handler(argparse.Namespace(handler=handler)))
"""

STARTER = """
import os, subprocess, sys, time
from pathlib import Path
from vigie_devkit.local.product import start_up
program = "import signal\\nfrom vigie_devkit.local.endings import end_with_starter\\n" \\
          "if end_with_starter():\\n    print('ready', flush=True)\\n    signal.pause()"
started = start_up([sys.executable, "-c", program], Path(sys.argv[1]), {}, stdout=subprocess.PIPE, stderr=sys.stderr)
started.stdout.readline()
print(started.pid, flush=True)
time.sleep(600)
"""


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda one: one.name)
def test_a_command_that_is_ended_by_a_signal_goes_through_its_clean_up(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(before="")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
    assert (said, process.returncode) == ("cleaned\n", 128 + number)


def test_a_terminal_that_closes_does_not_end_what_nohup_started() -> None:
    ignored = COMMAND.format(before="signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    with subprocess.Popen([sys.executable, "-c", ignored], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_up_ends_with_the_command_that_started_it_even_if_that_is_killed(tmp_path: Path, stopped: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        child = ProcessId(pid, start_ticks(pid) or 0)
        if stopped:
            os.kill(pid, signal.SIGSTOP)
        starter.kill()
    try:
        until(lambda: not child.is_alive(), "the started process has ended")
    finally:
        if child.is_alive():
            os.kill(pid, signal.SIGKILL)
