"""Putting a seccomp filter in force for this process, for good. Without libseccomp: one prctl and one system call."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable
from typing import Final

from vigie.sandbox.program import INSTRUCTION, Denied, filter_program
from vigie.sandbox.syscalls import ARM64, AUDIT_ARCH, X86_64

PR_SET_NO_NEW_PRIVS: Final = 38
_SYS_SECCOMP: Final = {X86_64: 317, ARM64: 277}
_SET_MODE_FILTER: Final = 1
# All threads of the process get the filter, or none.
_ALL_THREADS: Final = 1


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def forbid(rules: Iterable[Denied]) -> None:
    """From now on ``rules`` hold for all threads of this process and for what it starts.

    Raises: OSError: the kernel has no seccomp, or whoever started us forbids it.
    """
    machine = platform.machine()
    if machine not in AUDIT_ARCH:
        raise OSError(f"no seccomp filter is known for {machine}")
    program = filter_program(rules, machine)
    code = ctypes.create_string_buffer(program, len(program))
    wanted = _Program(len(program) // INSTRUCTION.size, ctypes.cast(code, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges(libc)
    if libc.syscall(_SYS_SECCOMP[machine], _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(wanted)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def no_new_privileges(libc: ctypes.CDLL) -> None:
    """What both mechanisms ask for first: no program started from here gets more rights than we have."""
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
