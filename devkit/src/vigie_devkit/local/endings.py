"""How a command ends when somebody ends it: through every ``finally``, and never without what it started."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Pid of the process without which the one that finds it in its environment does not go on.
ENDS_WITH = "VIGIE_ENDS_WITH"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class EndedBySignal(KeyboardInterrupt):
    """SIGTERM or SIGHUP came; ``number`` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal end what runs inside as Ctrl-C does, by an exception in the main thread.

    Python's own reaction would be to vanish: temporary folders, mounts and processes of their own sessions stay.
    A signal that is ignored stays so (nohup). Outside the main thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:  # ours, pytest's or an embedding program's handler knows better
            signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise EndedBySignal(number)


def end_with_starter() -> bool:
    """Be ended by SIGTERM when the process that the environment names dies, however it dies. Main thread only.

    Not inherited: what this process starts is its own affair. Returns: False if that process has gone already.
    """
    named = os.environ.pop(ENDS_WITH, "")
    if not named:
        return True
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    return named == str(os.getppid())
