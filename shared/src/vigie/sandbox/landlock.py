"""Landlock: the files that this thread, and what it starts, may read or change from now on; nothing else.

Source: Documentation/userspace-api/landlock.rst; linux/landlock.h. The three calls have one number on every machine.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from vigie.sandbox.seccomp import no_new_privileges

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION: Final = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
# What each version added to the rights over files: 13 of the first, REFER, TRUNCATE, IOCTL_DEV.
_RIGHTS: Final = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_IOCTL_SINCE: Final = 5
_NET_SINCE, _BIND_TCP, _CONNECT_TCP = 4, 1 << 0, 1 << 1
# From version 6: abstract unix sockets and signals stay within.
_SCOPES_SINCE, _SCOPES = 6, 0b11
_BENEATH: Final = struct.Struct("=Qi")
_PORT: Final = struct.Struct("=QQ")


def landlock_version() -> int:
    """Of the kernel; 0: it has none, or we may not ask."""
    found: int = ctypes.CDLL(None, use_errno=True).syscall(_CREATE_RULESET, None, 0, _VERSION)
    return max(0, found)


def restrict(
    readable: Iterable[Path],
    *,
    tcp_ports: Iterable[int] | None,
    devices: Iterable[Path] = (),
    writable: Iterable[Path] = (),
) -> int:
    """Give up everything but reading ``readable``: files, and folders with all that is in them.

    Args: devices: also written and commanded (ioctl). writable: folders in which everything is allowed.
        tcp_ports: where TCP may connect to; None: anywhere. Listening is over in any case. Kernels before 6.7 cannot
        bound either. Paths that are not there are left out.
    Returns: the version of Landlock in force; 0: nothing is.
    Raises: OSError: the kernel has Landlock, and refuses.
    """
    version = landlock_version()
    if version == 0:
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    rights = sum(added for since, added in _RIGHTS.items() if since <= version)
    net = 0 if version < _NET_SINCE else _BIND_TCP | (0 if tcp_ports is None else _CONNECT_TCP)
    attributes = struct.pack("=QQQ", rights, net, _SCOPES if version >= _SCOPES_SINCE else 0)
    # A kernel takes a longer struct than it knows only if the rest is zero; it is.
    rules = _checked(libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        for path in readable:
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _allow(libc, rules, path)
        for path in devices:
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _allow(libc, rules, path, _WRITE_FILE | (_RIGHTS[_IOCTL_SINCE] if version >= _IOCTL_SINCE else 0))
        for path in writable:
            _allow(libc, rules, path, rights)
        for port in (tcp_ports or ()) if net else ():
            _checked(libc.syscall(_ADD_RULE, rules, _NET_PORT, _PORT.pack(_CONNECT_TCP, port), 0))
        no_new_privileges(libc)
        _checked(libc.syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)
    return version


def _allow(libc: ctypes.CDLL, rules: int, path: Path, more: int = 0) -> None:
    at = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = more | _READ_FILE | (_READ_DIR if stat.S_ISDIR(os.fstat(at).st_mode) else 0)
        _checked(libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, _BENEATH.pack(rights, at), 0))
    finally:
        os.close(at)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
