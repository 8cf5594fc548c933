"""What a process occupies: memory without the ring pages that all modules share, and the rings themselves."""

from __future__ import annotations

import os
from pathlib import Path

from vigie_devkit.local.tree import tree

MEGABYTE = 1_000_000


def pss_bytes(pid: int, frames: Path, *, children: bool = True) -> int | None:
    """Proportional set size in bytes of a process and all that it started, without mappings of files in ``frames``;
    None for no such process.
    """
    occupied = [_pss_bytes(one, frames) for one in (tree(pid) if children else [pid])]
    return None if occupied[0] is None else sum(one or 0 for one in occupied)


def _pss_bytes(pid: int, frames: Path) -> int | None:
    """Of one process.

    smaps rather than smaps_rollup: only the former tells which pages are the ring's. Source: proc_pid_smaps(5).
    """
    try:
        lines = Path(f"/proc/{pid}/smaps").read_bytes().splitlines()
    except OSError:
        return None
    prefix, total, counted = b"%s/" % os.fsencode(frames), 0, True
    for line in lines:
        if line.startswith(b"Pss:"):
            total += int(line.split()[1]) * 1024 if counted else 0
        elif line[:1] in b"0123456789abcdef":  # "7f..-7f.. rw-s 00000000 00:19 123  /dev/shm/..": the next mapping
            path = line.split(maxsplit=5)[5:]
            counted = not (path and path[0].startswith(prefix))
    # Some sandboxes have no Pss lines; what is resident is then the best upper bound at hand.
    return total or resident_bytes(pid)


def resident_bytes(pid: int) -> int | None:
    """Of one process, ring pages and all; None for no such process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:")), None)


def folder_bytes(folder: Path) -> int:
    """Space that the files of a folder occupy, in bytes."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except OSError:
            continue  # gone between listing and looking
    return total
