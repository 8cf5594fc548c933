"""One child process of a run: dies with its parent, writes to a log file, and is accounted for exactly."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vigie_devkit.local.tree import tree

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class ProcessId:
    """A pid with the start time that makes it unique: pids are used again."""

    pid: int
    start_ticks: int

    def is_alive(self) -> bool:
        """True while this very process exists and is no zombie."""
        return start_ticks(self.pid) == self.start_ticks


def start_ticks(pid: int) -> int | None:
    """Start time in clock ticks since boot, None for no such process or a zombie. Source: proc_pid_stat(5)."""
    after_name = _after_name(pid)
    return None if not after_name or after_name[0] in "ZX" else int(after_name[19])


def _after_name(pid: int) -> list[str]:
    """What stands behind a process's name in its ``stat``; empty: no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


class ChildProcess:
    """A started process in a process group of its own; poll it, signal it, ask what it cost."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, cwd: Path) -> None:
        """Start it. stdout and stderr are appended to ``log``. Must be called in the main thread.

        Raises: OSError.
        """
        parent = os.getpid()

        def die_with_parent() -> None:
            # Runs in the child between fork and exec. SIGKILL, because a stopped process would sleep through SIGTERM.
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        log.parent.mkdir(parents=True, exist_ok=True)
        # O_APPEND, so that the log may be rotated by copy and truncate while the child holds it open.
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd=cwd,
                process_group=0,
                preexec_fn=die_with_parent,  # noqa: PLW1509  no threads here: children are polled, not waited for
            )
        self.started_at = time.monotonic()
        self.exit_code: int | None = None
        self.cpu_s = 0.0
        self.identity = ProcessId(self._process.pid, start_ticks(self._process.pid) or 0)

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> bool:
        """True while it runs. Reaps it when it has ended; then ``exit_code`` and ``cpu_s`` are final."""
        if self.exit_code is not None:
            return False
        try:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        except ChildProcessError:
            pid, status, usage = self.pid, 0, None
        if pid == 0:
            return True
        self.exit_code = os.waitstatus_to_exitcode(status)
        self._process.returncode = self.exit_code
        if usage is not None:
            self.cpu_s = usage.ru_utime + usage.ru_stime
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send it to the process; SIGKILL goes to its whole group, so that nothing it started stays behind."""
        if self.exit_code is not None:
            return
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def cpu_seconds(self) -> float:
        """User and system time so far, in seconds."""
        if self.exit_code is None:
            self.cpu_s = cpu_seconds(self.pid) or self.cpu_s
        return self.cpu_s


def cpu_seconds(pid: int) -> float | None:
    """User and system time of a process and all that it started, ended ones too; None for no such process."""
    spent = [_cpu_seconds(one) for one in tree(pid)]
    return None if spent[0] is None else sum(one or 0.0 for one in spent)


def _cpu_seconds(pid: int) -> float | None:
    """utime, stime and those of children that it has waited for. Source: proc_pid_stat(5)."""
    after_name = _after_name(pid)
    return sum(map(int, after_name[11:15])) / os.sysconf("SC_CLK_TCK") if after_name else None
