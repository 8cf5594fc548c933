"""What a running module can still do, and what it cannot: seen from inside, under ``run_module``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vigie.sandbox.module import module_rules
from vigie.sandbox.program import filter_program
from vigie.sandbox.syscalls import ARM64, X86_64

MODULE = """
import ctypes, errno, json, socket, subprocess, sys, threading
from vigie.process import run_module
from vigie.sandbox.module import is_confined

def tried(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def ptrace():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")

early = threading.Event()
answers = {}

def from_an_early_thread():
    early.wait()
    answers["a program, from a thread that was there before"] = tried(lambda: subprocess.run(["/bin/true"]))

async def main(env):
    early.set()
    thread.join()
    answers["a program"] = tried(lambda: subprocess.run(["/bin/true"]))
    answers["ptrace"] = tried(ptrace)
    answers["an internet socket"] = tried(lambda: socket.socket(socket.AF_INET).close())
    answers["a raw socket"] = tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
    answers["names are looked up"] = tried(lambda: socket.getaddrinfo("localhost", 80))
    answers["confined"] = is_confined()
    print(json.dumps(answers), flush=True)

thread = threading.Thread(target=from_an_early_thread, daemon=True)
thread.start()
raise SystemExit(run_module("sync", main, programs=sys.argv[1] == "programs"))
"""


@pytest.mark.parametrize("programs", [False, True], ids=["starts no programs", "starts programs"])
def test_a_module_starts_no_program_that_it_does_not_need_and_reaches_nothing_of_the_kernel(
    tmp_path: Path, programs: bool
) -> None:
    script = tmp_path / "module.py"
    script.write_text(MODULE)
    ran = subprocess.run(
        [sys.executable, str(script), "programs" if programs else "none"],
        capture_output=True, text=True, timeout=60, check=False, env={"VIGIE_LOG": "json"},
    )  # fmt: skip
    (line,) = [line for line in ran.stdout.splitlines() if line.startswith('{"a program')]
    may = "done" if programs else "EPERM"
    assert json.loads(line) == {
        "a program, from a thread that was there before": may,
        "a program": may,
        "ptrace": "EPERM",
        "an internet socket": "done",
        "a raw socket": "EAFNOSUPPORT",
        "names are looked up": "done",
        "confined": True,
    }


@pytest.mark.parametrize("machine", [X86_64, ARM64])
def test_a_module_that_starts_programs_may_do_no_more_beside(machine: Any) -> None:
    assert len(filter_program(module_rules(programs=True), machine)) < len(
        filter_program(module_rules(programs=False), machine)
    )


def test_only_modules_that_need_programs_may_start_them() -> None:
    modules = Path(__file__).resolve().parents[3] / "modules"
    given = {
        path.parts[-4] for path in modules.glob("*/src/*/__main__.py") if "programs=True" in path.read_text("utf-8")
    }
    assert given == {"camera", "inference"}
