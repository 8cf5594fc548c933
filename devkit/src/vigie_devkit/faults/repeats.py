"""One fault again and again on a running system, with a look at what its processes hold after each time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from vigie_devkit.faults.fault import Fault
from vigie_devkit.faults.growth import Reading
from vigie_devkit.faults.handles import handle_kinds, thread_names
from vigie_devkit.faults.scratch import scratch
from vigie_devkit.faults.system import System, running
from vigie_devkit.faults.trial import Arrivals, Result, tried
from vigie_devkit.local.footprint import MEGABYTE, pss_bytes
from vigie_devkit.local.product import ProductError
from vigie_devkit.local.tree import tree

# Between two repetitions; what a process holds at its lowest meanwhile is what it keeps.
_SETTLES_S = 6.0


@dataclass
class Repeated:
    """``readings`` in order of time, those before the first repetition left out."""

    fault: Fault
    readings: list[Reading] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)


def repeat(faults: Sequence[Fault], times: int, seed: int, tell: Callable[[str], None]) -> Iterator[Repeated]:
    """Each fault ``times`` times, on a system of its own: what one leaves must not pass for another's.

    Raises: ProductError: the system does not start.
    """
    for fault in faults:
        with scratch() as folder, running(folder, fault.setup, seed) as system:
            yield _repeated(fault, times, system, tell)


def _repeated(fault: Fault, times: int, system: System, tell: Callable[[str], None]) -> Repeated:
    done, upstream = Repeated(fault), Arrivals(system)
    for number in range(1, times + 1):
        result = tried(fault, system, upstream)
        done.results.append(result)
        readings = settled(system)
        done.readings += readings
        held = ", ".join(
            f"{one.name} {one.handles.total()}/{one.threads.total()}/{one.memory_mb:.0f}" for one in readings
        )
        tell(f"{fault.name} {number}: back after {result.back_s} s, {result.verdict}; handles/threads/MB: {held}")
        if system.product.process.poll() is not None:
            break
    return done


def settled(system: System) -> list[Reading]:
    """One reading per process: the one with the fewest handles and threads within a few seconds."""
    lowest: dict[tuple[str, int], Reading] = {}
    deadline = time.monotonic() + _SETTLES_S
    while time.monotonic() < deadline:
        with suppress(ProductError):
            for reading in _look(system):
                best = lowest.get((reading.name, reading.pid))
                if best is None or _held(reading) < _held(best):
                    lowest[reading.name, reading.pid] = reading
        time.sleep(0.5)
    return list(lowest.values())


def _held(reading: Reading) -> int:
    return reading.handles.total() + reading.threads.total()


def _look(system: System) -> list[Reading]:
    readings = []
    for name, pid in system.product.pids().items():
        with suppress(OSError):  # it is just being started anew
            family = tree(pid)
            handles, threads = handle_kinds(pid), thread_names(pid)
            for child in family[1:]:
                handles += handle_kinds(child)
                threads += thread_names(child)
            memory = (pss_bytes(pid, system.run.frames) or 0) / MEGABYTE
            readings.append(Reading(name, pid, memory, handles, threads))
    return readings
