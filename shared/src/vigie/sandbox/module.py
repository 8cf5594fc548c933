"""What every module gives up when it starts, by itself: so it holds under IoT Edge, compose and ``./vigie up`` alike.

It adds to the engine's own profile, which stays. A profile in createOptions would have to be inline and to fit 4 KB
(decision 0052).
"""

from __future__ import annotations

import errno
import socket
from typing import Final

from vigie.sandbox.program import Argument, Denied
from vigie.sandbox.seccomp import forbid
from vigie.sandbox.syscalls import KERNEL, PROCESSES, PROGRAMS

CLONE_THREAD: Final = 0x10000
# Netlink: the C library asks it which kinds of addresses this machine has. 42 (AF_QIPCRTR): Qualcomm's engines.
_FAMILIES: Final = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, 42)

NO_MORE_PROCESSES: Final = (
    Denied((*PROGRAMS, *PROCESSES)),
    Denied(("clone",), when=(Argument(0, 0, CLONE_THREAD),)),
    # Its flags lie in memory, where a filter cannot look; the C library takes ``clone`` instead.
    Denied(("clone3",), errno.ENOSYS),
)

_confined = False


def confine_module(*, programs: bool) -> str | None:
    """For good. ``programs``: the module starts processes of its own. Returns: why nothing holds; None: it does."""
    global _confined  # noqa: PLW0603 - it is a fact about the process
    try:
        forbid(module_rules(programs=programs))
    except OSError as error:
        return str(error)
    _confined = True
    return None


def is_confined() -> bool:
    """Whether this process has given up what a module does not need."""
    return _confined


def module_rules(*, programs: bool) -> list[Denied]:
    """The system calls that a module cannot make."""
    others = tuple(Argument(0, family, equal=False) for family in _FAMILIES)
    rules = [Denied((*KERNEL,)), Denied(("socket",), errno.EAFNOSUPPORT, others)]
    return rules if programs else [*rules, *NO_MORE_PROCESSES]
