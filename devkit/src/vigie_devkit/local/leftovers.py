"""Cleans up what an `up` that was killed left behind. The caller holds the run's lock, so nobody else uses it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from vigie_devkit.local.footprint import MEGABYTE, folder_bytes
from vigie_devkit.local.frame_folders import holds_frames, is_frame_folder
from vigie_devkit.local.paths import RunPaths
from vigie_devkit.local.processes import ProcessId
from vigie_devkit.local.record import read_record
from vigie_edgehub.shell.socket_folder import remove_dead_folder, socket_folder


def clear_leftovers(run: RunPaths) -> list[str]:
    """End orphans, remove the frame folder, sockets and stale endpoint files. Returns: what it removed, for people.

    Safe to call on a run that ended well: there is nothing left then.
    """
    removed: list[str] = []
    record = read_record(run.record)
    if record is not None:
        orphans = record.processes
        removed += [f"process {name} ({orphans[name].pid})" for name in kill_all(orphans.values(), orphans)]
        run.record.unlink(missing_ok=True)
    # Named by the state folder: a hub that is killed as it ends has removed hub.json already, but not its sockets.
    sockets = {socket_folder(run.hub), *([Path(record.workload)] if record and record.workload else ())}
    removed += [f"sockets {folder}" for folder in sorted(sockets) if remove_dead_folder(folder)]
    frames = {run.frames, *([Path(record.frames)] if record else [])}
    for folder in frames:
        if folder.name.startswith("vigie-") and is_frame_folder(folder):
            if holds_frames(folder):
                removed.append(f"frames {folder} ({folder_bytes(folder) / MEGABYTE:.1f} MB)")
            shutil.rmtree(folder, ignore_errors=True)
    run.let_go_of_frames()
    run.hub_json.unlink(missing_ok=True)
    for endpoint in run.modules.glob("*/http.json"):
        endpoint.unlink(missing_ok=True)
    return removed


def kill_all(processes: Iterable[ProcessId], names: Iterable[str], *, within_s: float = 3.0) -> list[str]:
    """SIGKILL those that still live (by pid and start time) and wait until they are gone. Returns: their names."""
    living = [(name, process) for name, process in zip(names, processes, strict=True) if process.is_alive()]
    for _, process in living:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + within_s
    while any(process.is_alive() for _, process in living) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [name for name, _ in living]
