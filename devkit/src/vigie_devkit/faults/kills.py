"""The whole system under ``kill -9`` at random, on small disks that others fill and free at random.

Each kill's victim, time and disk are drawn before (``plan``), so that a seed is one story; what happens on the way
depends on the machine.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from vigie_devkit.faults.bystander_acts import fill
from vigie_devkit.faults.scratch import scratch
from vigie_devkit.faults.system import FaultError, Setup, System, running
from vigie_devkit.faults.trial import Arrivals, drained, until_back

_MB = 1 << 20
# Each state folder is a disk of its own; the logs too, so that what is logged meanwhile cannot fill the machine.
DISKS = {
    "modules/sync": 48 * _MB, "hub": 96 * _MB, "modules/camera": 2 * _MB, "modules/preprocess": 2 * _MB,
    "modules/inference": 4 * _MB, "logs": 24 * _MB,
}  # fmt: skip
SMALL_DISKS = Setup(name="kills-on-small-disks", tmpfs=tuple(DISKS.items()))
_VICTIMS = ("sync", "hub", "inference", "preprocess", "camera", "everything")
_WEIGHTS = (4, 3, 2, 2, 2, 1)
# sync and hub are those that keep what was acknowledged.
_DISK_WEIGHTS = (4, 4, 1, 1, 1, 1)
_FULL_SHARE = 0.5
_FLOWS_SHARE = 0.4
_STARTED_WITHIN_S = 90.0


@dataclass(frozen=True)
class Kill:
    """``after_s`` since the one before. ``disk`` ("": none) is full from ``full_before_s`` before, for ``full_s``.

    ``flows``: flow is waited for before, so that there is something to lose; else it hits what still recovers.
    """

    victim: str
    after_s: float
    flows: bool
    disk: str = ""
    full_before_s: float = 0.0
    full_s: float = 0.0


def plan(seed: int, kills: int) -> list[Kill]:
    """The same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - the same story for the same seed
    planned = []
    for _ in range(kills):
        victim, after_s = dice.choices(_VICTIMS, _WEIGHTS)[0], dice.uniform(0.5, 5.0)
        disk = dice.choices(list(DISKS), _DISK_WEIGHTS)[0] if dice.random() < _FULL_SHARE else ""
        flows = dice.random() < _FLOWS_SHARE
        planned.append(Kill(victim, after_s, flows, disk, dice.uniform(0.0, 2.0), dice.uniform(1.0, 8.0)))
    return planned


@dataclass
class KillReport:
    """``recorded``: items seen in sync's ledger just before a kill; ``missing``: those of them that never arrived."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    items: int = 0
    messages: int = 0
    recorded: int = 0
    missing: int = 0
    lost: int = 0
    twice: int = 0
    unordered: int = 0
    repeated: int = 0
    ledgers: int = 0
    back_s: float | None = None
    unmet: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def words(self) -> str:
        """For the page: what was done and what came of it."""
        killed = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        full = ", ".join(f"{name} {count}" for name, count in sorted(self.filled.items()))
        return (
            f"{self.kills.total()} kills with seed {self.seed} in {self.seconds / 60:.0f} min ({killed}), "
            f"disks filled {self.filled.total()} times ({full}): {self.items:,} items in {self.messages:,} messages "
            f"arrived; {self.lost} messages lost, {self.missing} of {self.recorded:,} items seen in the ledger before "
            f"a kill missing, {self.twice} items twice, {self.unordered} out of order; {self.repeated} messages came "
            f"again under their own key; {self.ledgers} ledger{'' if self.ledgers == 1 else 's'}; "
            + ("flow not back" if self.back_s is None else f"flow back {self.back_s:.1f} s after the last")
            + (f". **Not kept**: {'; '.join(self.unmet)}." if self.unmet else ".")
        )


def kill_at_random(seed: int, kills: int, tell: Callable[[str], None]) -> KillReport:
    """All of the plan, then time to come back. Raises: ProductError: the system does not start (root is needed)."""
    with scratch() as folder, running(folder, SMALL_DISKS, seed) as system:
        return _carry_out(plan(seed, kills), seed, system, tell)


def _carry_out(planned: Sequence[Kill], seed: int, system: System, tell: Callable[[str], None]) -> KillReport:
    report, upstream = KillReport(seed), Arrivals(system)
    begun = time.monotonic()
    recorded: set[str] = set()
    neighbours: list[threading.Thread] = []
    killed_pids: dict[str, int] = {}
    for number, kill in enumerate(planned, 1):
        if kill.flows:
            until_back(upstream, system, time.monotonic_ns())
        time.sleep(max(0.0, kill.after_s - kill.full_before_s))
        if kill.disk and not any(one.is_alive() and one.name == kill.disk for one in neighbours):
            neighbours.append(_neighbour(system.run.folder / kill.disk, kill))
            report.filled[kill.disk] += 1
            time.sleep(kill.full_before_s)
        recorded |= _in_ledger(system)
        names = ("sync", "hub", "inference", "preprocess", "camera") if kill.victim == "everything" else (kill.victim,)
        for name in names:
            if _kill(system, name, killed_pids):
                report.kills[name] += 1
            else:
                report.unmet.append(f"{name} was not started again within {_STARTED_WITHIN_S:.0f} s")
        upstream.take()
        tell(f"kill {number}: {kill.victim}{f', disk of {kill.disk} full' if kill.disk else ''}")
        if system.product.process.poll() is not None:
            report.unmet.append("`up` ended by itself")
            break
    for one in neighbours:
        one.join(60)
    _conclude(report, system, upstream, recorded)
    report.seconds = time.monotonic() - begun
    return report


def _conclude(report: KillReport, system: System, upstream: Arrivals, recorded: set[str]) -> None:
    report.back_s = until_back(upstream, system, time.monotonic_ns())
    if report.back_s is None:
        report.unmet.append("flow did not come back")
    elif not drained(system):
        report.unmet.append("what is recorded was not sent")
    deadline = time.monotonic() + 60.0
    while recorded - upstream.take().traces and time.monotonic() < deadline:
        time.sleep(0.5)
    account = upstream.take()
    report.items, report.messages = len(account.traces), sum(map(len, account.messages.values()))
    report.recorded, report.missing = len(recorded), len(recorded - account.traces)
    report.lost, report.twice, report.unordered = account.lost(), account.twice, account.unordered
    report.repeated, report.ledgers = account.repeated, len(account.messages)
    for what, count in (
        ("messages lost", report.lost),
        ("items that were recorded did not arrive", report.missing),
        ("items came twice", report.twice),
        ("items out of order", report.unordered),
    ):
        if count:
            report.unmet.append(f"{count} {what}")


def _kill(system: System, name: str, killed_pids: dict[str, int]) -> bool:
    """``kill -9`` of the process that runs now, as soon as it runs again after the last kill of it."""
    deadline = time.monotonic() + _STARTED_WITHIN_S
    while time.monotonic() < deadline and system.product.process.poll() is None:
        with suppress(FaultError, ProcessLookupError):
            if (pid := system.pid(name)) != killed_pids.get(name):
                os.kill(pid, signal.SIGKILL)
                killed_pids[name] = pid
                return True
        time.sleep(0.05)
    return False


def _neighbour(folder: Path, kill: Kill) -> threading.Thread:
    """Somebody else takes all room of a disk for a while."""

    def others() -> None:
        path = fill(folder)
        time.sleep(kill.full_s)
        path.unlink(missing_ok=True)

    thread = threading.Thread(target=others, name=kill.disk, daemon=True)
    thread.start()
    return thread


def _in_ledger(system: System) -> set[str]:
    """Keys of the items that sync has recorded and not yet sent; none while it cannot be read."""
    found: set[str] = set()
    for path in system.run.module("sync").glob("*ledger*.db"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.2)) as ledger:
            found |= {str(trace) for (trace,) in ledger.execute("SELECT trace FROM items")}
    return found
