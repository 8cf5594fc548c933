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


class CallThread:
    """Runs blocking calls one after the other; a call past its deadline costs its thread, not its caller."""

    def __init__(self, name: str) -> None:
        """``name`` of the threads, for stack dumps."""
        self._name = name
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] | None = None
        self.left_behind = 0

    def call(self, what: str, function: Callable[[], R], deadline_s: float = CALL_DEADLINE_S) -> R:
        """Run ``function`` and return what it returns or raise what it raises.

        Raises: HubCallHungError: not back within ``deadline_s``.
        """
        future: Future[R] = Future()
        with self._lock:
            if self._work is None:
                self._work = queue.SimpleQueue()
                threading.Thread(target=_run, args=(self._work, self._name), name=self._name, daemon=True).start()
            work = self._work
        work.put((function, future))
        try:
            return future.result(deadline_s)
        except TimeoutError:
            if future.done():
                raise  # the function's own TimeoutError
            with self._lock:
                if self._work is work:
                    self._work = None
                    self.left_behind += 1
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
