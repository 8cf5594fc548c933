"""What processes cost: memory as their share of pages, CPU time over all threads. Linux only, as the modules are."""

from __future__ import annotations

import os
import time
from pathlib import Path

MEGABYTE = 1_000_000


def pss_mb(pid: int) -> float:
    """Proportional set size in MB; 0 for a process that is gone. Source: proc_pid_smaps(5)."""
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        found = next((int(line.split()[1]) for line in lines if line.startswith(key)), None)
        if found is not None:
            return found * 1024 / MEGABYTE
    return 0.0


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads, those that ended too; 0 for a process that is gone.

    The clock of another process by its number: clock_getcpuclockid(3), which Python does not wrap. Nanoseconds, where
    /proc/<pid>/stat counts hundredths of a second.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its children in MB: cheap to ask again and again. Source: proc_pid_statm(5)."""
    pages = 0
    for one in (pid, *_children(pid)):
        try:
            pages += int(Path(f"/proc/{one}/statm").read_text(encoding="ascii").split()[1])
        except OSError:
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def starved_seconds(pid: int) -> float:
    """How long the main threads of a process and its children were ready to run and had no CPU; 0 if unknown.

    Source: Documentation/scheduler/sched-stats.rst: the second number of schedstat, in nanoseconds.
    """
    waited_ns = 0
    for one in (pid, *_children(pid)):
        try:
            waited_ns += int(Path(f"/proc/{one}/schedstat").read_text(encoding="ascii").split()[1])
        except (OSError, ValueError, IndexError):
            continue
    return waited_ns / 1e9


def memory_left_mb(root: Path = Path("/")) -> float | None:
    """What the container may still take in MB, v2 or v1 cgroup; None without a limit."""
    for limit, usage in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            allowed = int((root / "sys/fs/cgroup" / limit).read_text(encoding="ascii"))
            used = int((root / "sys/fs/cgroup" / usage).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such file, or "max"
            continue
        if allowed < 1 << 60:  # v1 writes "no limit" as a number near 2**63
            return max(0.0, (allowed - used) / MEGABYTE)
    return None


def _children(pid: int) -> list[int]:
    """Source: proc_tid_children(5)."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(number) for number in listing.read_text(encoding="ascii").split()]
        except OSError:
            continue
    return found
