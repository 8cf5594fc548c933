"""How many threads an engine may use here: the affinity mask cut to the container's CPU quota.

ONNX Runtime counts physical cores and ignores the quota, so a container limited to one CPU would start a pool
that the kernel throttles. Everything reads under ``root`` so that tests can lay out a file system.
"""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath


def threads_available(root: Path = Path("/")) -> int:
    """CPUs that this process may keep busy: at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return thread_count(affinity, cpu_quota(root))


def thread_count(affinity: int, quota: float | None) -> int:
    """``min(affinity, ceil(quota))``; a quota of 1.5 CPUs gets two threads, 0.5 gets one."""
    if quota is None:
        return max(1, affinity)
    return max(1, min(affinity, math.ceil(quota)))


def cpu_quota(root: Path = Path("/")) -> float | None:
    """CPUs that the cgroups of this process allow, ``None`` if unlimited.

    The tightest limit on the way from the process's own group up to the mount counts: v2 ``cpu.max``,
    v1 ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us``. What cannot be read limits nothing.
    """
    quotas = [quota for folder in cgroup_folders(root) if (quota := _folder_quota(folder)) is not None]
    return min(quotas, default=None)


def _folder_quota(folder: Path) -> float | None:
    fields = _read(folder / "cpu.max").split()
    if len(fields) == 2:
        return _ratio(fields[0], fields[1])
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    try:
        allowed, per = int(quota), int(period)
    except ValueError:  # "max", or an empty file
        return None
    return allowed / per if allowed > 0 and per > 0 else None


def cgroup_folders(root: Path, *, controller: str = "cpu") -> list[Path]:
    """The process's cgroup folders that may hold a limit of ``controller``, and their parents up to each mount."""
    mount = root / "sys/fs/cgroup"
    folders: list[Path] = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            tops = [mount, mount / "unified"]
        elif controller in controllers.split(","):
            tops = [mount / controllers, mount / controller]
        else:
            continue
        inner = PurePosixPath(path.lstrip("/"))
        for top in tops:
            # In a container with a private cgroup namespace the path is "/"; without one it names a host
            # folder that is not mounted here, and the mount's root is the container's own group.
            folders += [top / part for part in (inner, *inner.parents)] if ".." not in inner.parts else [top]
    return folders or [mount, mount / controller]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
