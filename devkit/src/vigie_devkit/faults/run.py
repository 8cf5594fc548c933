"""Tries faults one after the other; those that share a set-up share a running system as long as it stays well."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from vigie_devkit.faults.fault import Fault
from vigie_devkit.faults.scratch import scratch
from vigie_devkit.faults.system import Setup, running
from vigie_devkit.faults.trial import Arrivals, Result, tried
from vigie_devkit.faults.watched import Watched
from vigie_devkit.local.product import ProductError

# A system that has been through so many faults is replaced, so that one's aftermath is not another's finding.
FAULTS_PER_SYSTEM = 12


Start = Callable[[Path, Setup, int], AbstractContextManager[Watched]]


def try_all(
    faults: Sequence[Fault], seed: int, tell: Callable[[str], None], start: Start = running
) -> Iterator[Result]:
    """One result per fault. ``tell`` gets a line about what is being done; ``start``: what the system runs as."""
    dice = random.Random(seed)  # noqa: S311 - the same faults in the same order for the same seed
    for setup, group in itertools.groupby(faults, key=lambda one: one.setup):
        waiting = list(group)
        while waiting:
            tell(f"starting the system ({setup.name})")
            yield from _with_one_system(setup, waiting, dice.randrange(1 << 16), tell, start)


def _with_one_system(
    setup: Setup, waiting: list[Fault], seed: int, tell: Callable[[str], None], start: Start
) -> Iterator[Result]:
    """Takes from ``waiting`` as long as the system is well; at least one."""
    with scratch() as folder, ExitStack() as stack:
        try:
            system = stack.enter_context(start(folder, setup, seed))
        except ProductError as error:
            fault = waiting.pop(0)
            yield Result(fault.name, unmet=(f"the system did not start: {str(error)[:400]}",))
            return
        upstream = Arrivals(system)
        for _ in range(FAULTS_PER_SYSTEM):
            if not waiting:
                return
            fault = waiting.pop(0)
            tell(f"{fault.name}: {fault.what}")
            result = tried(fault, system, upstream)
            yield result
            if not result.kept:
                tell("a new system for the next")
                return
