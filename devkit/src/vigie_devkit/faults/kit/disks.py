"""Disks that others fill: a small tmpfs in the place of a state folder, filled to the last byte, then freed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from vigie_devkit.faults.bad_disk import available
from vigie_devkit.faults.bystander_acts import FILLER, fill, room
from vigie_devkit.faults.fault import Fault, makes_put
from vigie_devkit.faults.signs import LogLine, Sign, rises
from vigie_devkit.faults.system import Setup, System, disk_command

_MB = 1 << 20
SMALL = Setup(
    name="small-disks",
    tmpfs=(("modules/sync", 48 * _MB), ("logs", 8 * _MB), ("modules/camera", 2 * _MB), ("modules/inference", 4 * _MB)),
)
BAD_DISK = Setup(name="bad-disk", bad_disks=("modules/sync",))
HUB_DISK = Setup(name="small-hub-disk", tmpfs=(("hub", 48 * _MB),))
_PEERS = "edgeHub: stops taking messages; Stream Manager: refuses writes; Frigate: deletes its oldest recordings"


@makes_put
def filling(system: System, name: str, *, kill: str = "") -> Iterator[None]:
    """The disk of the run's folder ``name`` is full until the end; ``kill``: who is started anew on it."""
    path = fill(system.run.folder / name)
    try:
        if kill:
            system.signal(kill, signal.SIGKILL)
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _logs_full_and_dropped(system: System) -> Iterator[None]:
    path = fill(system.run.folder / "logs")
    try:
        for _ in range(8):
            system.product.hub().drop_connections(abrupt=True)
            time.sleep(0.6)
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _frames_filled(system: System) -> Iterator[None]:
    """Others take the room of the frame folder: rings that exist are mapped and must go on."""
    path = system.run.frames / FILLER
    with path.open("wb") as file:
        # All but a little: this folder is the machine's own, and other programs need it.
        os.posix_fallocate(file.fileno(), 0, max(_MB, min(room(system.run.frames) - 64 * _MB, 2048 * _MB)))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@makes_put
def disk_is(system: System, command: str) -> Iterator[None]:
    """The bad disk is so (``vigie_devkit.faults.bad_disk``) until the end."""
    path = disk_command(system.run)
    path.write_text(command, encoding="ascii")
    try:
        yield
    finally:
        path.unlink()


def _bad_disk_faults() -> list[Fault]:
    if not available():
        return []
    return [
        Fault(name="sync-disk-slow", what="each write to sync's disk takes 100 ms for 20 s", put=disk_is("slow 100"),
              hold_s=20.0, back_within_s=40.0, setup=BAD_DISK),
        Fault(name="sync-disk-fails", what="each write to sync's disk fails (EIO) for 15 s", put=disk_is("eio"),
              hold_s=15.0, back_within_s=40.0, signs=(LogLine("sync", "ledger_state"),), setup=BAD_DISK,
              new_ledger=True),
    ]  # fmt: skip


def disk_faults() -> list[Fault]:
    lines: tuple[Sign, ...] = (rises("sync", "vigie_log_lines_lost_total"),)
    return [
        Fault(name="sync-disk-full", what="others fill sync's disk for 12 s", put=filling("modules/sync"), hold_s=12.0,
              back_within_s=30.0, setup=SMALL, peers=_PEERS),
        Fault(name="sync-disk-full-start", what="sync is killed while its disk is full",
              put=filling("modules/sync", kill="sync"), hold_s=12.0, back_within_s=40.0, setup=SMALL, peers=_PEERS),
        Fault(name="log-disk-full", what="the disk of the logs is full while the hub cuts all connections 8 times",
              put=_logs_full_and_dropped, back_within_s=30.0, signs=lines, setup=SMALL, peers="none"),
        Fault(name="camera-disk-full", what="camera is killed while its state folder is full",
              put=filling("modules/camera", kill="camera"), hold_s=6.0, back_within_s=30.0, setup=SMALL, peers="none"),
        Fault(name="inference-disk-full", what="inference is killed while its state folder is full",
              put=filling("modules/inference", kill="inference"), hold_s=6.0, back_within_s=30.0, setup=SMALL,
              peers="none"),
        Fault(name="frames-full", what="others fill the folder of the frames", put=_frames_filled, hold_s=6.0,
              back_within_s=15.0, peers="none"),
        Fault(name="hub-disk-full", what="others fill the hub's disk for 10 s", put=filling("hub"), hold_s=10.0,
              back_within_s=40.0, setup=HUB_DISK, peers=_PEERS),
        *_bad_disk_faults(),
    ]  # fmt: skip
