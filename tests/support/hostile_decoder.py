"""Run as a program: becomes a decoder's process as the nursery makes one, goes into its sandbox, and tries everything.

python hostile_decoder.py TASK TRIED      both JSON; prints {act: errno's name or "done"}
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from vigie.sandbox.syscalls import numbers_of
from vigie_camera.decode.nursery import _become_decoder
from vigie_camera.decode.sandbox import confine
from vigie_camera.decode.wire import Task

LIBC = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> None:
    (number,) = numbers_of((name,), platform.machine())
    if LIBC.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def dumpable() -> None:
    if LIBC.prctl(4, 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "prctl")


def thread() -> None:
    one = threading.Thread(target=lambda: None)
    one.start()
    one.join()


def connect(port: int) -> None:
    with socket.socket(socket.AF_INET) as one:
        one.settimeout(10)
        one.connect(("127.0.0.1", port))


def acts(task: Task, tried: dict[str, Any]) -> dict[str, Callable[[], object]]:
    parent = tried.get("parent", 1)
    all_of_them: dict[str, Callable[[], object]] = {
        "execve": lambda: os.execv("/bin/true", ["true"]),
        "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "fork": fork,
        "a thread": thread,
        "ptrace": lambda: call("ptrace", 16, parent, 0, 0),  # PTRACE_ATTACH
        "process_vm_readv": lambda: call("process_vm_readv", parent, None, 0, None, 0, 0),
        "mount": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "unshare": lambda: call("unshare", 0x10000000),
        "setns": lambda: call("setns", 0, 0),
        "bpf": lambda: call("bpf", 0, None, 0),
        "keyctl": lambda: call("keyctl", 0, 0, 0, 0, 0),
        "userfaultfd": lambda: call("userfaultfd", 1),
        "perf_event_open": lambda: call("perf_event_open", None, 0, -1, -1, 0),
        "kexec_load": lambda: call("kexec_load", 0, 0, None, 0),
        "io_uring_setup": lambda: call("io_uring_setup", 1, None),
        "pidfd_open": lambda: call("pidfd_open", parent, 0),
        "signal the module": lambda: os.kill(parent, 0),
        "open a unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
        "open an internet socket": lambda: socket.socket(socket.AF_INET).close(),
        "be dumpable": dumpable,
        "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
        "read a secret": lambda: Path(tried["secret"]).read_bytes(),
        "list the secrets": lambda: list(Path(tried["secret"]).parent.iterdir()),
        "read the module's environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
    }
    if task.address.endswith(".avi"):
        source = task.address
        all_of_them |= {
            "read the source": lambda: Path(source).read_bytes(),
            "write the source": lambda: Path(source).open("r+b").close(),
            "cut the source": lambda: os.truncate(source, 0),
            "remove the source": lambda: Path(source).unlink(),
            "make a file": lambda: Path(tried["beside"]).write_bytes(b"x"),
        }
    for path in tried.get("reads", []):
        all_of_them[f"read {path}"] = lambda path=path: Path(path).read_bytes()
    for port in tried.get("connect", []):
        all_of_them[f"connect to {port}"] = lambda port=port: connect(port)
    return all_of_them


def main(given: str, tried: str) -> None:
    task = msgspec.json.decode(given, type=Task)
    _become_decoder(b"hostile", os.getppid())
    got = {"sandbox": ",".join(confine(task))}
    for name, act in acts(task, json.loads(tried)).items():
        try:
            act()
        except OSError as error:
            got[name] = errno.errorcode.get(error.errno or 0, str(error))
        except ValueError as error:
            got[name] = "EPERM" if "limit" in str(error) else str(error)
        else:
            got[name] = "done"
    print(json.dumps(got), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
