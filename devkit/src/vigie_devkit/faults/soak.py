"""The system for hours under random faults, with an eye on what its processes hold."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from vigie_devkit.faults.fault import Fault
from vigie_devkit.faults.holdings import holdings
from vigie_devkit.faults.registry import all_faults
from vigie_devkit.faults.scratch import scratch
from vigie_devkit.faults.slopes import ProcessSample
from vigie_devkit.faults.system import PLAIN, System, running
from vigie_devkit.faults.trial import Arrivals, Result, tried
from vigie_devkit.local.endings import EndedBySignal
from vigie_devkit.local.product import ProductError

SAMPLE_EVERY_S = 15.0
# Quiet time between two faults: what leaks only while nothing is wrong must show as well.
REST_S = (20.0, 90.0)
# Those that put another model or another limit in place for minutes would be most of a short soak.
_LEFT_OUT = ("model-", "freeze-", "end-everything")


@dataclass
class Soak:
    """``samples`` and ``results`` so far; readable at any time from another thread."""

    samples: list[ProcessSample] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    def not_kept(self) -> list[Result]:
        return [one for one in self.results if not one.kept]

    def tried(self) -> Counter[str]:
        return Counter(one.fault for one in self.results)


def drawn() -> list[Fault]:
    """The faults of a soak: those of the plain system."""
    return [one for name, one in all_faults().items() if one.setup == PLAIN and not name.startswith(_LEFT_OUT)]


def soak(hours: float, seed: int, tell: Callable[[str], None], faults: Sequence[Fault] | None = None) -> Soak:
    """Random ones of ``faults`` (None: all that are ``drawn``) until ``hours`` are over.

    SIGINT, SIGTERM or SIGHUP asks for the report earlier, a second one for the end at once.
    Raises: ProductError: it does not start.
    """
    done = Soak()
    dice = random.Random(seed)  # noqa: S311 - the same faults for the same seed
    faults = drawn() if faults is None else faults
    stop = threading.Event()
    with (
        scratch() as folder,
        running(folder, PLAIN, seed) as system,
        _asked(stop),
        _sampled(system, done, stop),
    ):
        upstream = Arrivals(system)
        begun = time.monotonic()
        while not stop.is_set() and (left_s := hours * 3600 - (time.monotonic() - begun)) > 0:
            stop.wait(min(left_s, dice.uniform(*REST_S)))
            if stop.is_set() or time.monotonic() - begun > hours * 3600:
                break
            _try(dice.choice(faults), system, upstream, done, tell)
            if system.product.process.poll() is not None:
                tell(f"`up` has ended by itself: {system.product.tail()[-300:]}")
                break
            done.seconds = time.monotonic() - begun
        done.seconds = time.monotonic() - begun
    return done


def _try(fault: Fault, system: System, upstream: Arrivals, done: Soak, tell: Callable[[str], None]) -> None:
    result = tried(fault, system, upstream)
    done.results.append(result)
    tell(f"{len(done.results):4} {fault.name}: back after {result.back_s} s, {result.verdict}")


@contextmanager
def _asked(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the soak with its report; asked twice, it ends at once."""

    def asked(number: int, _frame: object) -> None:
        if stop.is_set():
            raise EndedBySignal(number)
        stop.set()

    signals = [one for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, asked) for one in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _sampled(system: System, done: Soak, stop: threading.Event) -> Iterator[None]:
    ended = threading.Event()
    begun = time.monotonic()

    def sample() -> None:
        while not ended.wait(SAMPLE_EVERY_S) and not stop.is_set():
            # A process may end between two looks: the next look sees what is there then.
            with suppress(OSError, ProductError, IndexError):
                done.samples += holdings(system, time.monotonic() - begun)

    thread = threading.Thread(target=sample, name="soak.samples", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)
