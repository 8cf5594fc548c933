"""The process that decoders are forked from: small, with one thread, with the decoder's library loaded.

A fork of it costs milliseconds and shares the library's pages; a fork of the module itself would copy its threads'
locks and secrets. It hears one kind of request (a socket for a child), and tells the module each child's end over
its own socket, after everything that the child itself said.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress

import msgspec

from vigie_camera.decode.wire import Exited, Started

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_PR_SET_NO_NEW_PRIVS = 38
_NAME_BYTES = 15
_FILES_MAX = 64
_FIRST_FD = 3  # after the standard three
# Private memory; 4K H.265 takes 140 MB. A stream that wants more than this is refused by the kernel and costs its own
# camera; without a bound it would cost the module.
_MEMORY_MAX = 1 << 30


def serve(control_fd: int, backend: str) -> None:
    """Fork a decoder for each socket that arrives, until the module is gone."""
    from vigie_camera.decode import child  # loads the back end's library once, for all children

    child.preload(backend)
    # A collection in a child would write into every page that it shares with the others.
    gc.collect()
    gc.freeze()
    # FFmpeg and OpenCV print the URL they cannot open, password included.
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    control = socket.socket(fileno=control_fd)
    control.setblocking(False)
    ended_read, ended_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(ended_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # The module ends us by closing its socket; a terminal's Ctrl-C is the module's to hear.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: dict[int, socket.socket] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(ended_read, select.POLLIN)
    while True:
        poll.poll()
        with suppress(BlockingIOError):
            os.read(ended_read, 4096)
        _tell_ends(children)
        with suppress(BlockingIOError):
            name, fds, _, _ = socket.recv_fds(control, 256, 1)
            if not name:
                return  # PR_SET_PDEATHSIG ends the children
            if fds:
                _fork(name, socket.socket(fileno=fds[0]), children, backend)


def _fork(name: bytes, end: socket.socket, children: dict[int, socket.socket], backend: str) -> None:
    nursery = os.getpid()
    pid = os.fork()
    if pid == 0:
        # Nothing of the nursery's loop may run in a child, whatever happens.
        try:
            signal.set_wakeup_fd(-1)
            _close_all_but(end.fileno())
            _become_decoder(name, nursery)
            from vigie_camera.decode import child

            child.work(end, backend)
        finally:
            os._exit(1)
    pidfd = os.pidfd_open(pid)
    children[pid] = end
    with suppress(OSError):
        socket.send_fds(end, [msgspec.msgpack.encode(Started(pid))], [pidfd])
    os.close(pidfd)


def _close_all_but(kept: int) -> None:
    """The nursery's own descriptors and other cameras' sockets; whatever else a library may have opened too."""
    os.closerange(_FIRST_FD, kept)
    os.closerange(kept + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _become_decoder(name: bytes, nursery: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # At its default: a handler in Python would not run while FFmpeg blocks.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != nursery:
        os._exit(1)
    libc.prctl(_PR_SET_NAME, b"cam." + name[: _NAME_BYTES - 4], 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # A core dump would hold the camera's password.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_MAX, _MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES_MAX, _FILES_MAX))
    # Nothing is written but memory: see ``sandbox``, which needs this where the kernel has neither of its means.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _tell_ends(children: dict[int, socket.socket]) -> None:
    while children:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        end = children.pop(pid, None)
        if end is not None:
            # Never waits: a module that does not read has other trouble.
            with suppress(OSError):
                end.send(msgspec.msgpack.encode(Exited(status)), socket.MSG_DONTWAIT)
            end.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
