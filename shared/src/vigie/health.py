"""Health as progress: a thread that stopped moving makes the process unhealthy; what is missing makes it unready."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Above the slowest honest step of a worker (loading a model, opening a camera), below what a person would wait.
DEFAULT_LIMIT_S = 30.0


class Watchdog:
    """One thread's or task's promise to move at least every ``limit_s``. ``beat()`` is one attribute write."""

    __slots__ = ("_clock", "beaten_at", "limit_s", "name")

    def __init__(self, name: str, limit_s: float, clock: Callable[[], float]) -> None:
        """Starts as if just beaten."""
        self.name = name
        self.limit_s = limit_s
        self._clock = clock
        self.beaten_at = clock()

    def beat(self) -> None:
        self.beaten_at = self._clock()

    def overdue_s(self) -> float:
        """Seconds past the promise; 0 while it is kept."""
        return max(0.0, self._clock() - self.beaten_at - self.limit_s)


class Health:
    """What /healthz and /readyz answer. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` is monotonic seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._watchdogs: dict[str, Watchdog] = {}
        self._missing: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    def watch(self, name: str, limit_s: float) -> Watchdog:
        """Register a promise; registering a name again replaces it."""
        watchdog = Watchdog(name, limit_s, self._clock)
        with self._lock:
            self._watchdogs[name] = watchdog
        return watchdog

    def beat(self, name: str) -> None:
        """The same by name, for a loop that keeps no handle: the first beat is the promise."""
        watchdog = self._watchdogs.get(name)
        (watchdog or self.watch(name, DEFAULT_LIMIT_S)).beat()

    def forget(self, watchdog: Watchdog) -> None:
        """A thread that ends on purpose takes its promise back."""
        with self._lock:
            if self._watchdogs.get(watchdog.name) is watchdog:
                del self._watchdogs[watchdog.name]

    def not_ready(self, part: str, reason: str) -> None:
        """``part`` is missing, because of ``reason`` (a sentence for an operator)."""
        with self._lock:
            self._missing[part] = reason

    def ready(self, part: str) -> None:
        """``part`` is there."""
        with self._lock:
            self._missing.pop(part, None)

    def note(self, part: str, text: str) -> None:
        """Something to know of ``part`` that makes it neither ready nor unready; empty takes it back."""
        with self._lock:
            self._notes[part] = text
            if not text:
                del self._notes[part]

    def notes(self) -> dict[str, str]:
        """Part to what is to be known of it."""
        with self._lock:
            return dict(self._notes)

    def stalled(self) -> dict[str, str]:
        """Name to reason of every promise not kept; empty means alive."""
        with self._lock:
            watchdogs = list(self._watchdogs.values())
        return {
            dog.name: f"no progress for {dog.overdue_s() + dog.limit_s:.1f} s, limit {dog.limit_s:g} s"
            for dog in watchdogs
            if dog.overdue_s() > 0
        }

    def missing(self) -> dict[str, str]:
        """Part to reason of everything that keeps the module from its work; a stalled thread counts too."""
        with self._lock:
            missing = dict(self._missing)
        return missing | self.stalled()
