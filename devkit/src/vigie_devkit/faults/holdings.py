"""What each process of a run holds now: memory, threads, handles, disk, rings."""

from __future__ import annotations

from pathlib import Path

from vigie_devkit.faults.slopes import ProcessSample
from vigie_devkit.faults.system import System
from vigie_devkit.local.footprint import MEGABYTE, folder_bytes, pss_bytes
from vigie_devkit.local.programs import HUB
from vigie_devkit.local.tree import tree


def holdings(system: System, at_s: float) -> list[ProcessSample]:
    """Of hub, modules and `up`; a process that is just being started anew is left out."""
    samples = []
    pids = {**system.product.pids(), "up": system.product.process.pid}
    for name, pid in pids.items():
        family = [pid] if name == "up" else tree(pid)
        try:
            threads, handles = (sum(_count(one, what) for one in family) for what in ("task", "fd"))
        except OSError:
            continue
        memory = pss_bytes(pid, system.run.frames, children=name != "up") or 0
        values = {"memory_mb": memory / MEGABYTE, "threads": float(threads), "handles": float(handles)}
        if name != "up":
            folder = system.run.hub if name == HUB else system.run.module(name)
            values["disk_mb"] = folder_bytes(folder) / MEGABYTE
        samples.append(ProcessSample(at_s, name, pid, values))
    rings = {
        "rings_mb": folder_bytes(system.run.frames) / MEGABYTE,
        "disk_mb": folder_bytes(system.run.logs) / MEGABYTE,
    }
    samples.append(ProcessSample(at_s, "rings and logs", 0, rings))
    return samples


def _count(pid: int, what: str) -> int:
    return len(list(Path(f"/proc/{pid}/{what}").iterdir()))
