"""What a decoder's process gives up before it reads its camera's first byte (decision 0052).

A stream that takes FFmpeg over finds a process that can start nothing, signal nobody, open its own source and
libraries to read and no file to write, and call its own camera's port. What it has already stays: the socket to the
module, and the slots of its own ring.

The number of processes is bounded by the filter and not by RLIMIT_NPROC, which counts all that a user runs on the
machine, other modules' threads included.
"""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vigie.sandbox.landlock import restrict
from vigie.sandbox.module import NO_MORE_PROCESSES
from vigie.sandbox.program import Argument, Denied
from vigie.sandbox.seccomp import forbid
from vigie.sandbox.syscalls import FILE_CHANGES, INCOMING, KERNEL, SIGNALS_BY_OTHER_WAYS
from vigie_camera.decode.accelerators import device_nodes
from vigie_camera.decode.reasons import PORTS, is_network
from vigie_camera.decode.wire import Task
from vigie_camera.usb.address import read_device_address

SECCOMP: Final = "seccomp"
LANDLOCK: Final = "landlock"
MEASURES: Final = (SECCOMP, LANDLOCK)

_PR_SET_DUMPABLE, _PR_SET_PTRACER = 4, 0x59616D61
_WRITES = (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_DNS_PORT = 53
_LIBRARIES: Final = ("/usr", "/lib", "/lib64", "/opt/vigie")
# What the C library asks for names, addresses and certificates, and numerical libraries for processors.
_SYSTEM: Final = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/etc/ssl",
    "/etc/pki",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
)


def confine(task: Task) -> tuple[str, ...]:
    """Give up what ``task`` does not need, for good. Returns: those of ``MEASURES`` that are in force."""
    in_force = []
    try:
        if restrict(readable(task), tcp_ports=tcp_ports(task), devices=devices(task)):
            in_force.append(LANDLOCK)
    except OSError:
        pass  # said by its absence
    if LANDLOCK not in in_force:
        # A decoder without Landlock could read the memory of one beside it; with it, none can. Not in any case: the
        # owner of a machine may ask how much memory his own processes take.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        forbid(forbidden(task, os.getpid()))
        in_force.append(SECCOMP)
    except OSError:
        pass
    return tuple(sorted(in_force, key=MEASURES.index))


def forbidden(task: Task, pid: int) -> list[Denied]:
    """The system calls that a decoder of ``task``, whose process is ``pid``, cannot make."""
    # A camera on this machine is opened to write as well; that nothing else is, is Landlock's to hold.
    writes = [flag for flag in _WRITES if flag != os.O_RDWR or not devices(task)]
    return [
        Denied((*KERNEL, *FILE_CHANGES, *SIGNALS_BY_OTHER_WAYS, *INCOMING)),
        *NO_MORE_PROCESSES,
        # Its flags lie in memory, where a filter cannot look; the C library takes the older call instead.
        Denied(("openat2",), errno.ENOSYS),
        Denied(("kill", "tgkill"), when=(Argument(0, pid, equal=False),)),
        *(Denied(("open",), errno.EACCES, (Argument(1, flag, flag),)) for flag in writes),
        *(Denied(("openat",), errno.EACCES, (Argument(2, flag, flag),)) for flag in writes),
        *_sockets(task),
        Denied(("socketpair",), errno.EAFNOSUPPORT, (Argument(0, socket.AF_UNIX, equal=False),)),
        Denied(("prctl",), when=(Argument(0, _PR_SET_DUMPABLE),)),
        Denied(("prctl",), when=(Argument(0, _PR_SET_PTRACER),)),
        Denied(("setrlimit",)),
        *(Denied(("prlimit64",), when=(Argument(2, 0, equal=False, high=high),)) for high in (False, True)),
        *(Denied(("ioctl",), when=(Argument(1, request),)) for request in (_TIOCSTI, _TIOCLINUX)),
    ]


def readable(task: Task) -> Iterator[Path]:
    """Files and folders that a decoder of ``task`` may read."""
    yield from map(Path, (*_LIBRARIES, *_SYSTEM, sys.prefix, sys.base_prefix))
    # Where a development checkout is installed from.
    yield from (Path(entry) for entry in sys.path if entry)
    yield from (Path(os.environ[name]) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name))
    if task.options.ca_file:
        yield Path(task.options.ca_file)
    if task.kind == "video" and not is_network(task.address):
        yield from _of_source(task.address)


def devices(task: Task) -> tuple[Path, ...]:
    """What is opened to read, write and command: the task's own device, or the decoder that it may use."""
    if task.kind == "device":
        return (Path(read_device_address(task.address)[0]),)
    return _hardware(task)


def tcp_ports(task: Task) -> tuple[int, ...] | None:
    """Where the decoder may connect to; None: anywhere that its policy allows, for what a web camera's answers name."""
    if task.kind == "web":
        return None
    if task.kind != "video" or not is_network(task.address):
        return ()
    try:
        split = urlsplit(task.address)
        port = split.port or PORTS.get(split.scheme.lower())
    except ValueError:
        port = None
    return (_DNS_PORT,) if port is None else (port, _DNS_PORT)


def _hardware(task: Task) -> tuple[Path, ...]:
    if task.kind != "video" or task.options.decoding == "software" or task.options.doubt:
        return ()
    return tuple(device_nodes())


def _sockets(task: Task) -> list[Denied]:
    network = task.kind == "web" or (task.kind == "video" and is_network(task.address))
    families = (socket.AF_INET, socket.AF_INET6) if network else ()
    others = tuple(Argument(0, family, equal=False) for family in families)
    return [Denied(("socket",), errno.EAFNOSUPPORT, others)]


def _of_source(address: str) -> Iterator[Path]:
    """A video; or a folder or pattern of pictures, with what links in it lead to. Never all files that there are."""
    pattern = any(sign in address for sign in "*?")
    path = Path(os.path.dirname(address.partition("*")[0].partition("?")[0]) if pattern else address)  # noqa: PTH120
    if path == path.parent:
        return
    yield path
    with suppress(OSError):
        if pattern:
            # Path.glob takes no absolute pattern.
            yield from (Path(one) for one in glob.iglob(address) if Path(one).is_symlink())  # noqa: PTH207
        elif path.is_dir():
            with os.scandir(path) as entries:
                yield from (Path(entry.path) for entry in entries if entry.is_symlink())
