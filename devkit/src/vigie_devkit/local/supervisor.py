"""Keeps the processes of a run alive, and stops them all within a bound, whatever state they are in."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vigie_devkit.local.processes import ChildProcess

TICK_S = 0.05
RESTART_FIRST_S = 0.1
RESTART_MAX_S = 5.0
# A process that lived this long was well: its next end is a new story and its restart is quick again.
SETTLED_S = 10.0
NOT_YET_S = 0.2
# Docker gives 10 s; the house stops within 8 and keeps a margin for the kernel to tear down memory maps.
STOP_WITHIN_S = 6.0
RESTART_GRACE_S = 10.0  # Docker's
RESTART_WITHIN_S = 10.0


@dataclass(frozen=True)
class Program:
    """What to run. ``environment`` is asked at every start, because the hub's answers may have changed.

    ``grace_s`` is how long it may take to end after SIGTERM before the next in order is asked to.
    """

    name: str
    command: Sequence[str]
    environment: Callable[[], Mapping[str, str]]
    log: Path
    grace_s: float = 1.0


@dataclass
class Supervised:
    """A program and its present incarnation."""

    program: Program
    child: ChildProcess | None = None
    starts: int = 0
    quick_ends: int = 0
    last_exit: int | None = None
    former_cpu_s: float = 0.0
    next_start_at: float = 0.0
    stopping: bool = False
    started_anew: asyncio.Event | None = None  # somebody asked for a restart and waits for it

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        return self.child.pid if self.child else None

    @property
    def restarts(self) -> int:
        return max(0, self.starts - 1)

    def cpu_seconds(self) -> float:
        """CPU time of all incarnations."""
        return self.former_cpu_s + (self.child.cpu_seconds() if self.child else 0.0)


class Supervisor:
    """Owns the child processes. `run` restarts what ends; `stop` ends everything, by force after a while."""

    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self._programs: dict[str, Supervised] = {}
        self.on_change: Callable[[], None] = lambda: None

    @property
    def programs(self) -> Mapping[str, Supervised]:
        return self._programs

    def start(self, program: Program) -> Supervised:
        """Start a program and keep it running from now on.

        Raises: OSError, LookupError, ValueError: it cannot be started at all.
        """
        supervised = Supervised(program)
        self._programs[program.name] = supervised
        self._launch(supervised)
        return supervised

    async def run(self) -> None:
        """Restart whatever ends, until cancelled."""
        while True:
            self.tick(time.monotonic())
            await asyncio.sleep(TICK_S)

    def tick(self, now: float) -> None:
        """Reap what has ended and start what is due. ``now`` in seconds of the monotonic clock."""
        for supervised in self._programs.values():
            child = supervised.child
            if child is not None and not child.poll():
                self._ended(supervised, child, now)
            if supervised.child is None and not supervised.stopping and now >= supervised.next_start_at:
                try:
                    self._launch(supervised)
                except (OSError, LookupError, ValueError):
                    # No memory for a process, or the hub that tells the environment is itself just restarting.
                    supervised.next_start_at = now + NOT_YET_S

    def _launch(self, supervised: Supervised) -> None:
        program = supervised.program
        supervised.child = ChildProcess(program.command, program.environment(), program.log, self._cwd)
        supervised.starts += 1
        if supervised.started_anew is not None:
            supervised.started_anew.set()
            supervised.started_anew = None
        self.on_change()

    def _ended(self, supervised: Supervised, child: ChildProcess, now: float) -> None:
        supervised.former_cpu_s += child.cpu_s
        supervised.last_exit = child.exit_code
        supervised.child = None
        if supervised.started_anew is not None:
            supervised.next_start_at = now
        else:
            settled = now - child.started_at >= SETTLED_S
            supervised.quick_ends = 0 if settled else supervised.quick_ends + 1
            supervised.next_start_at = now + restart_delay_s(supervised.quick_ends)
        self.on_change()

    async def restart(self, name: str) -> None:
        """End a program and start it anew, while `run` runs; an end that was asked for does not slow its next starts.

        Raises: LookupError: it does not run, or is being restarted; TimeoutError: it was not running again in time.
        """
        supervised = self._programs[name]
        child = supervised.child
        if child is None or supervised.stopping or supervised.started_anew is not None:
            raise LookupError(f"{name} is not running, or is being restarted")
        supervised.started_anew = started = asyncio.Event()
        child.signal(signal.SIGTERM)
        child.signal(signal.SIGCONT)  # a stopped process would take SIGTERM only once somebody lets it go on
        try:
            await asyncio.wait_for(started.wait(), RESTART_GRACE_S)
        except TimeoutError:
            child.signal(signal.SIGKILL)
            try:
                await asyncio.wait_for(started.wait(), RESTART_WITHIN_S)
            except TimeoutError:
                raise TimeoutError(f"{name} was not running again within {RESTART_WITHIN_S:.0f} s") from None

    async def stop(self, order: Sequence[str], *, hurry: asyncio.Event | None = None) -> list[str]:
        """SIGTERM in ``order``, each given its grace, then SIGKILL for what is left; all are gone on return.

        In flow order each stage still hands on what its sender sent last. A hung or stopped process costs its grace
        only. ``hurry``: when set, no more grace. Returns: names that had to be killed.
        """
        deadline = time.monotonic() + STOP_WITHIN_S
        for supervised in self._programs.values():
            supervised.stopping = True
        asked = [self._programs[name] for name in order if name in self._programs]
        asked += [one for one in self._programs.values() if one not in asked]
        for supervised in asked:
            if supervised.child is not None:
                supervised.child.signal(signal.SIGTERM)
                await self._until_gone(
                    [supervised], min(deadline, time.monotonic() + supervised.program.grace_s), hurry
                )
        # Those that outlived their grace go on ending while the later ones were asked; give them what is left.
        await self._until_gone(asked, deadline, hurry)
        killed = [one for one in asked if one.child is not None]
        for supervised in killed:
            if supervised.child is not None:
                supervised.child.signal(signal.SIGKILL)
        await self._until_gone(killed, time.monotonic() + 1.0, None)
        return [one.name for one in killed]

    async def _until_gone(self, wanted: Sequence[Supervised], deadline: float, hurry: asyncio.Event | None) -> None:
        while any(one.child is not None for one in wanted):
            now = time.monotonic()
            if now >= deadline or (hurry is not None and hurry.is_set()):
                return
            self.tick(now)
            await asyncio.sleep(0.01)


def restart_delay_s(quick_ends: int) -> float:
    """Seconds to wait before the next start: at once for the first end, doubling while it keeps ending quickly."""
    return float(min(RESTART_MAX_S, RESTART_FIRST_S * 2 ** max(0, quick_ends - 1)))
