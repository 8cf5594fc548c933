"""How busy the machine is with other things: what a bar in seconds is worth here and now."""

from __future__ import annotations

import hashlib
import time

_WORK_S = 0.1
_MOST = 10.0


def slowdown() -> float:
    """How many times longer work takes because others use the CPUs; 1 on an idle machine, never more than 10.

    A bar on work (start a process, read a model) is a bar on an idle machine; times this it is the same bar here. A
    deadline that a clock keeps is not stretched by it.
    """
    block = bytes(1 << 16)
    began, began_cpu = time.monotonic(), time.thread_time()
    while time.thread_time() - began_cpu < _WORK_S:
        hashlib.sha256(block).digest()
    return min(_MOST, max(1.0, (time.monotonic() - began) / _WORK_S))
