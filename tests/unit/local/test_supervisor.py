"""The supervisor against real processes: plain Python programs that end, hang, stop or refuse to end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from vigie_devkit.local.processes import ProcessId, start_ticks
from vigie_devkit.local.supervisor import Program, Supervisor, restart_delay_s

SLEEPS = "import time\nprint('ready', flush=True)\nwhile True: time.sleep(0.05)"
IGNORES_TERM = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLEEPS}"
SAYS_BYE = """
import signal, sys, time
def bye(*_):
    print('bye', time.monotonic_ns(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
print('ready', flush=True)
while True: time.sleep(0.05)
"""


def program(folder: Path, name: str, source: str, grace_s: float = 2.0) -> Program:
    return Program(
        name, [sys.executable, "-I", "-c", source], lambda: dict(os.environ), folder / f"{name}.log", grace_s
    )


@asynccontextmanager
async def supervised(folder: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(folder)
    keeper = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        keeper.cancel()
        await supervisor.stop([])


async def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def said(folder: Path, name: str) -> str:
    return (folder / f"{name}.log").read_text() if (folder / f"{name}.log").exists() else ""


async def test_a_killed_process_is_started_again_and_its_cpu_time_is_kept(tmp_path: Path) -> None:
    async with supervised(tmp_path) as supervisor:
        burns = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n" + SLEEPS
        one = supervisor.start(program(tmp_path, "one", burns))
        await until(lambda: "ready" in said(tmp_path, "one"))
        first = one.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: one.pid not in {None, first})
        assert one.restarts == 1
        assert one.last_exit == -signal.SIGKILL
        assert one.former_cpu_s >= 0.2


async def test_processes_are_asked_to_end_in_the_given_order(tmp_path: Path) -> None:
    async with supervised(tmp_path) as supervisor:
        names = ["camera", "preprocess", "inference", "sync", "hub"]
        for name in reversed(names):
            supervisor.start(program(tmp_path, name, SAYS_BYE))
        await until(lambda: all("ready" in said(tmp_path, name) for name in names))
        assert await supervisor.stop(names) == []
        farewells = [int(said(tmp_path, name).split()[-1]) for name in names]
        assert farewells == sorted(farewells)


async def test_a_process_that_ignores_sigterm_is_killed_and_named(tmp_path: Path) -> None:
    async with supervised(tmp_path) as supervisor:
        stubborn = supervisor.start(program(tmp_path, "stubborn", IGNORES_TERM, grace_s=0.1))
        await until(lambda: "ready" in said(tmp_path, "stubborn"))
        hurry = asyncio.Event()
        hurry.set()
        assert await supervisor.stop(["stubborn"], hurry=hurry) == ["stubborn"]
        assert stubborn.child is None


async def test_a_stopped_process_does_not_hold_the_others_up(tmp_path: Path) -> None:
    async with supervised(tmp_path) as supervisor:
        frozen = supervisor.start(program(tmp_path, "frozen", SLEEPS, grace_s=0.1))
        other = supervisor.start(program(tmp_path, "other", SAYS_BYE))
        await until(lambda: "ready" in said(tmp_path, "frozen") and "ready" in said(tmp_path, "other"))
        assert frozen.pid is not None
        os.kill(frozen.pid, signal.SIGSTOP)
        # Until it has taken effect, a SIGTERM would still be delivered first.
        await until(lambda: Path(f"/proc/{frozen.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        assert await supervisor.stop(["frozen", "other"]) == ["frozen"]
        assert "bye" in said(tmp_path, "other")
        assert other.child is None


async def test_what_a_killed_process_had_started_is_killed_with_it(tmp_path: Path) -> None:
    child_too = (
        f"import subprocess, sys\nprint(subprocess.Popen([sys.executable, '-c', '''{SLEEPS}''']).pid, flush=True)\n"
    )
    async with supervised(tmp_path) as supervisor:
        supervisor.start(program(tmp_path, "parent", child_too + IGNORES_TERM, grace_s=0.1))
        await until(lambda: said(tmp_path, "parent").count("ready") == 2)
        grandchild = int(said(tmp_path, "parent").split()[0])
        hurry = asyncio.Event()
        hurry.set()
        await supervisor.stop([], hurry=hurry)
        await until(lambda: start_ticks(grandchild) is None)


def test_children_die_when_their_supervisor_is_killed_with_kill_9(tmp_path: Path) -> None:
    parent_source = f"""
import asyncio, os, sys
from pathlib import Path
from vigie_devkit.local.supervisor import Program, Supervisor
folder = Path({str(tmp_path)!r})
supervisor = Supervisor(folder)
for name in ("one", "two"):
    command = [sys.executable, "-I", "-c", {SLEEPS!r}]
    one = supervisor.start(Program(name, command, lambda: dict(os.environ), folder / name))
    print(one.pid, flush=True)
asyncio.run(supervisor.run())
"""
    with subprocess.Popen([sys.executable, "-c", parent_source], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(parent.stdout.readline()) for _ in range(2)]
        children = [ProcessId(pid, start_ticks(pid) or 0) for pid in pids]
        assert all(child.is_alive() for child in children)
        parent.kill()
    deadline = time.monotonic() + 20
    while any(child.is_alive() for child in children):
        assert time.monotonic() < deadline, "an orphan is left"
        time.sleep(0.01)


@pytest.mark.parametrize(("quick_ends", "delay_s"), [(0, 0.1), (1, 0.1), (2, 0.2), (4, 0.8), (7, 5.0), (50, 5.0)])
def test_restarts_back_off_and_stay_bounded(quick_ends: int, delay_s: float) -> None:
    assert restart_delay_s(quick_ends) == pytest.approx(delay_s)


def test_a_pid_with_another_start_time_is_another_process() -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    assert ProcessId(os.getpid(), ticks).is_alive()
    assert not ProcessId(os.getpid(), ticks - 1).is_alive()


async def test_a_restart_on_request_starts_anew_at_once_and_is_no_quick_end(tmp_path: Path) -> None:
    async with supervised(tmp_path) as supervisor:
        one = supervisor.start(program(tmp_path, "one", SAYS_BYE))
        await until(lambda: "ready" in said(tmp_path, "one"))
        first = one.pid
        await supervisor.restart("one")
        assert one.pid not in {None, first}
        assert (one.restarts, one.quick_ends, one.last_exit) == (1, 0, 0)


async def test_a_restart_of_a_program_that_does_not_run_is_refused(tmp_path: Path) -> None:
    async with supervised(tmp_path) as supervisor:
        one = supervisor.start(program(tmp_path, "one", "raise SystemExit(3)"))
        await until(lambda: one.child is None)
        with pytest.raises(LookupError, match="one is not running"):
            await supervisor.restart("one")
