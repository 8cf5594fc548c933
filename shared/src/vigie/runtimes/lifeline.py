"""A child process that cannot outlive its parent, whatever either of them hangs in.

The parent holds the writing end of a pipe and never writes. When it ends, however it ends, the kernel closes that end
and signals the child: SIGIO, whose default action terminates, so that not even native code that holds the interpreter
keeps the child alive. PR_SET_PDEATHSIG would fire when the *thread* that started the child ends, which is no thread to
count on here. Source: fcntl(2) F_SETOWN and O_ASYNC; fs/pipe.c ``pipe_release``.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal


def end_with_parent(lifeline: int) -> None:
    """Call first in the child. ``lifeline``: the reading end, inherited.

    Ends the process at once when the parent is gone already.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    # Between the fork and here the parent may have ended without a signal to us.
    readable, _, _ = select.select([lifeline], [], [], 0)
    if readable:
        os._exit(1)


def yield_to_others(nice: int) -> None:
    """Let everything else go first: CPU time by ``nice`` levels, and the out-of-memory killer takes this process."""
    if nice:
        os.nice(nice)
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123 - a kernel file
            file.write("1000")
    except OSError:
        pass  # a sandbox without it: then the kernel decides as it always does
