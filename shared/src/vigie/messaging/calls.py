"""Deadlines for calls that have none: each runs on a thread that is left behind if it does not return.

Several calls of the hub client wait for ever when the link drops at the wrong moment (a twin request in flight, a
send on a dead network thread, the workload API); none takes a timeout.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from vigie.errors import HubCallHungError
from vigie.thread_names import show_thread_name

R = TypeVar("R")

# Above every answer of a working hub (milliseconds), below the 10 s within which flow has to be back.
CALL_DEADLINE_S = 4.0


class LeftBehind:
    """Threads whose call did not return; those that came back after all are not counted. Thread-safe."""

    def __init__(self) -> None:
        """None yet."""
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def add(self, thread: threading.Thread) -> None:
        with self._lock:
            self._threads.append(thread)

    def count(self) -> int:
        """How many still hang."""
        with self._lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            return len(self._threads)


class CallThread:
    """Runs blocking calls one after the other; a call past its deadline costs its thread, not its caller."""

    def __init__(self, name: str, left_behind: LeftBehind | None = None) -> None:
        """``name`` of the threads, for stack dumps; ``left_behind``: where those that hang are counted."""
        self._name = name
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] | None = None
        self._thread: threading.Thread | None = None
        self.left_behind = left_behind or LeftBehind()

    def call(self, what: str, function: Callable[[], R], deadline_s: float = CALL_DEADLINE_S) -> R:
        """Run ``function`` and return what it returns or raise what it raises.

        Raises: HubCallHungError: not back within ``deadline_s``.
        """
        future: Future[R] = Future()
        with self._lock:
            if self._work is None:
                begun: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
                self._thread = threading.Thread(target=_run, args=(begun, self._name), name=self._name, daemon=True)
                self._thread.start()  # none can be started (memory): raised, and the next call tries again
                self._work = begun
            work, thread = self._work, self._thread
        work.put((function, future))
        try:
            return future.result(deadline_s)
        except TimeoutError:
            if future.done():
                raise  # the function's own TimeoutError
            with self._lock:
                if self._work is work:
                    self._work = None
                    if thread is not None:
                        self.left_behind.add(thread)
            work.put(None)  # should it ever come back, it ends
            raise HubCallHungError(what, deadline_s) from None

    def close(self) -> None:
        """End the thread when it is idle."""
        with self._lock:
            work, self._work = self._work, None
        if work is not None:
            work.put(None)


def _run(work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None], name: str) -> None:
    show_thread_name(name)
    while (job := work.get()) is not None:
        function, future = job
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)
        del job, function, future  # an idle thread keeps nothing alive
