"""Reads of a model's files, which a mount that hangs never answers: given up when nothing moves any more.

A thread that waits in the kernel for such a mount cannot be ended. One per folder is left behind; until it comes back
that folder is refused at once, and everything else goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from vigie.errors import ConfigRefusedError
from vigie.thread_names import show_thread_name

R = TypeVar("R")

# A slow disk is no reason to give up: whoever reads and verifies uses the CPU now and then, also at a high load.
QUIET_S = 30.0
_LOOK_S = 0.2


class ModelFiles:
    """Thread-safe."""

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        """``quiet_s``: a read that has used no CPU for so long hangs."""
        self._quiet_s = quiet_s
        self._lock = threading.Lock()
        self._hanging: dict[str, threading.Thread] = {}

    def read(self, folder: str, function: Callable[[], R]) -> R:
        """What ``function`` returns or raises; it reads files in ``folder``.

        Raises: ConfigRefusedError: they do not answer.
        """
        with self._lock:
            if (former := self._hanging.get(folder)) is not None and former.is_alive():
                raise self._refusal(folder)
        answer: Future[R] = Future()
        thread = threading.Thread(target=_answer, args=(function, answer), name="inference.files", daemon=True)
        thread.start()
        moved_s, spent = time.monotonic(), ""
        while True:
            try:
                return answer.result(_LOOK_S)
            except TimeoutError:
                if answer.done():
                    raise  # the function's own
            if (now := _cpu_of(thread)) != spent:
                moved_s, spent = time.monotonic(), now
            elif time.monotonic() - moved_s > self._quiet_s:
                with self._lock:
                    self._hanging[folder] = thread
                raise self._refusal(folder)

    def _refusal(self, folder: str) -> ConfigRefusedError:
        return ConfigRefusedError(
            "$.model", f"{folder} does not answer for {self._quiet_s:.0f} s; check the mount that it lies on"
        )


def _answer(function: Callable[[], Any], answer: Future[Any]) -> None:
    show_thread_name("inference.files")
    try:
        answer.set_result(function())
    except BaseException as error:
        answer.set_exception(error)


def _cpu_of(thread: threading.Thread) -> str:
    """Changes while the thread runs. Source: proc_pid_schedstat in Documentation/scheduler/sched-stats.rst."""
    try:
        return Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text(encoding="ascii").split()[0]
    except (OSError, IndexError):
        return ""  # it has ended, or this kernel does not tell
