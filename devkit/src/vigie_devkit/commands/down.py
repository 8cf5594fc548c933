"""``vigie down``: stops a run that is up, from another terminal."""

from __future__ import annotations

import argparse
import os
import signal
import time
from contextlib import suppress
from typing import Any

from vigie_devkit.local.errors import Exit
from vigie_devkit.local.paths import RunPaths, add_run_option, find_run, frames_root, is_running, known_runs, try_lock

# `up` itself takes at most 8 s.
ASK_S = 10.0


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "down",
        help="stop a run, and clean up after one that was killed",
        description="Stop a run as Ctrl-C would; if its `up` was killed, remove what that left behind.",
        epilog="examples:\n  ./vigie down\n  ./vigie down --run local-2\n  ./vigie down --all",
    )
    parser.add_argument("--all", action="store_true", help="every run of this state folder")
    add_run_option(parser)
    parser.set_defaults(handler=down)


def down(args: argparse.Namespace) -> int:
    from vigie_devkit.local.frame_folders import remove_dead_frames

    runs = known_runs() if args.all else [find_run(args)]
    stopped = [stop(run) for run in runs]
    for what in remove_dead_frames(frames_root()):
        print(f"  removed {what} of a run that was killed")
    return Exit.OK if all(stopped) else Exit.NO_FLOW


def stop(run: RunPaths) -> bool:
    """Stop one run. False if it could not be stopped."""
    from vigie_devkit.local.leftovers import clear_leftovers
    from vigie_devkit.local.record import read_record

    was_up = is_running(run)
    record = read_record(run.record)
    while was_up and record is None and not gone(run, 0.1):  # it has only just begun
        record = read_record(run.record)
    if was_up and record is not None and record.up.is_alive():
        for number, patience_s in ((signal.SIGTERM, ASK_S), (signal.SIGKILL, 3.0)):
            with suppress(ProcessLookupError):
                os.kill(record.up.pid, number)
            if gone(run, patience_s):
                break
    lock = try_lock(run)
    if lock is None:
        print(f"vigie: run '{run.name}' is still up")
        return False
    try:
        removed = clear_leftovers(run)
    finally:
        os.close(lock)
    print(f"vigie: run '{run.name}' {'stopped' if was_up else 'was not up'}")
    for what in removed:
        print(f"  removed {what}")
    return True


def gone(run: RunPaths, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while is_running(run):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
