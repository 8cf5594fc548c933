"""CPU time of processes and their threads, from /proc. Reading is apart from parsing; differences are pure.

A process's total (``stat``: utime + stime, which the kernel scales to the exact run time) includes threads that have
ended; a thread's own time is ``schedstat`` in nanoseconds. A thread is known by the name the kernel shows
(``vigie.thread_names``). Source: proc_pid_stat(5), Documentation/scheduler/sched-stats.rst.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from vigie_devkit.local.tree import tree

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class ThreadTime(msgspec.Struct, frozen=True):
    """One thread: its name (15 bytes at most) and its CPU seconds since it began."""

    name: str
    cpu_s: float


class ProcessTime(msgspec.Struct, frozen=True):
    """CPU seconds of a process since it began, and of its living threads by id."""

    pid: int
    total_s: float
    threads: Mapping[int, ThreadTime]


class Used(msgspec.Struct, frozen=True):
    """CPU seconds between two looks: of the process, and by thread name; what ended meanwhile is only in the total."""

    total_s: float
    by_thread_s: Mapping[str, float]

    def of(self, prefix: str) -> float:
        """CPU seconds of all threads whose name begins with ``prefix``."""
        return sum(seconds for name, seconds in self.by_thread_s.items() if name.startswith(prefix))


def parse_stat(text: str, ticks_per_s: int = _TICKS_PER_S) -> tuple[str, float]:
    """Name and CPU seconds of a ``stat`` line; the name may hold spaces and brackets."""
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return head.partition("(")[2], (int(fields[11]) + int(fields[12])) / ticks_per_s


def parse_schedstat(text: str) -> float:
    """CPU seconds of a ``schedstat`` line: its first number is the run time in nanoseconds."""
    return int(text.split(maxsplit=1)[0]) / 1e9


def read_process(pid: int, proc: Path = Path("/proc"), *, children: bool = True) -> ProcessTime:
    """With ``children`` what it started counts too, each process as one more thread: a camera is decoded in its own.

    Raises: ProcessLookupError: it is gone.
    """
    folder = proc / str(pid)
    threads: dict[int, ThreadTime] = {}
    try:
        total_s = parse_stat((folder / "stat").read_text(errors="replace"))[1]
        for task in (folder / "task").iterdir():
            try:
                name, coarse_s = parse_stat((task / "stat").read_text(errors="replace"))
                threads[int(task.name)] = ThreadTime(name, _exact_s(task, coarse_s))
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended while we looked
    except FileNotFoundError as error:
        raise ProcessLookupError(f"process {pid} is gone") from error
    for child in tree(pid, proc)[1:] if children else ():
        try:
            name, spent_s = parse_stat((proc / str(child) / "stat").read_text(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue
        threads[child] = ThreadTime(name, spent_s)
        total_s += spent_s
    return ProcessTime(pid, total_s, threads)


def _exact_s(task: Path, coarse_s: float) -> float:
    """Kernels without CONFIG_SCHED_INFO, and some sandboxes, have no schedstat: then hundredths of a second."""
    try:
        return parse_schedstat((task / "schedstat").read_text())
    except (FileNotFoundError, ValueError, IndexError):
        return coarse_s


def used(before: ProcessTime, after: ProcessTime) -> Used:
    """What the process used between two looks.

    Raises: ValueError: two different processes.
    """
    if before.pid != after.pid:
        raise ValueError(f"process {before.pid} was replaced by {after.pid} while it was measured")
    by_name: dict[str, float] = {}
    for task, thread in after.threads.items():
        earlier = before.threads.get(task)
        spent_s = thread.cpu_s - (earlier.cpu_s if earlier is not None else 0.0)
        by_name[thread.name] = by_name.get(thread.name, 0.0) + max(0.0, spent_s)
    return Used(after.total_s - before.total_s, by_name)
