"""Doorbells: unix datagram sockets in the signals folder, by which claims go straight from sender to consumer.

Names are short hashes and paths go through ``/proc/self/fd``: a socket's path may have 107 bytes at most.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import socket
import stat
import struct
from enum import Enum, auto
from pathlib import Path
from typing import Self

SOCKET_NAME = re.compile(r"[0-9a-f]{16}\.(bell|answers)")
_CREDENTIALS = struct.Struct("3i")
# Room for two full messages of each of some senders; the kernel caps it at net.core.rmem_max.
_BUFFER_BYTES = 1 << 20
_MOST_BYTES = 1 << 19


class Rung(Enum):
    """What became of one ring."""

    DONE = auto()
    FULL = auto()
    TOO_LARGE = auto()
    GONE = auto()


def socket_name(kind: str, *parts: str) -> str:
    """The file name of a module's socket: the same at every start, so that a new start replaces a dead one's."""
    return f"{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:16]}.{kind}"


class SignalSocket:
    """A bound socket of ours. Reads never wait."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises: OSError: the folder cannot be written, or takes no sockets."""
        folder.mkdir(mode=0o2770, parents=True, exist_ok=True)
        self.name = name
        self._folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            self._socket.bind(self._path(name))
            os.chmod(self._path(name), 0o660)  # noqa: PTH101 - a path through a descriptor
            self._inode = os.stat(name, dir_fd=self._folder).st_ino
        except BaseException:
            self._socket.close()
            os.close(self._folder)
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def in_place(self) -> bool:
        """False: the file has gone or is another's; nobody can reach this socket any more."""
        try:
            return os.stat(self.name, dir_fd=self._folder).st_ino == self._inode
        except OSError:
            return False

    def receive(self) -> bytes | None:
        """The next datagram; None: nothing waits."""
        try:
            return self._socket.recv(_MOST_BYTES)
        except OSError:  # nothing waits; or closed a moment ago, to be bound again
            return None

    def receive_from(self) -> tuple[bytes, int] | None:
        """The next datagram and the uid that the kernel says its sender has; None: nothing waits."""
        try:
            data, ancillary, _, _ = self._socket.recvmsg(_MOST_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
        except OSError:
            return None
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                return data, _CREDENTIALS.unpack(value)[1]
        return data, -1

    def tell(self, name: str, data: bytes) -> bool:
        """Send one small datagram to another socket of the folder; false: nobody took it."""
        try:
            self._socket.sendto(data, self._path(name))
        except OSError:
            return False
        return True

    def close(self) -> None:
        if self.in_place:
            with contextlib.suppress(OSError):
                os.unlink(self.name, dir_fd=self._folder)
        self._socket.close()
        os.close(self._folder)

    def _path(self, name: str) -> str:
        return f"/proc/self/fd/{self._folder}/{name}"


class Ringer:
    """The sender's end of one consumer's doorbell."""

    def __init__(self, connected: socket.socket, inode: int) -> None:
        """Use ``connect``."""
        self._socket = connected
        self.inode = inode

    @classmethod
    def connect(cls, folder: Path, name: str, uid: int) -> Self:
        """Raises: OSError: not there, or nobody listens. PermissionError: not a socket of user ``uid``."""
        at = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            connected.connect(f"/proc/self/fd/{at}/{name}")
            inode = _inode_of_socket(name, at, uid)
        except BaseException:
            connected.close()
            raise
        finally:
            os.close(at)
        return cls(connected, inode)

    def ring(self, data: bytes) -> Rung:
        """Never waits."""
        try:
            self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return Rung.FULL
        except OSError as error:
            return Rung.TOO_LARGE if error.errno == errno.EMSGSIZE else Rung.GONE
        return Rung.DONE

    def close(self) -> None:
        self._socket.close()


def _inode_of_socket(name: str, folder: int, uid: int) -> int:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != uid:
        raise PermissionError(f"doorbell {name} belongs to user {found.st_uid}, the answer came from {uid}")
    return found.st_ino


def inode_of(folder: Path, name: str) -> int | None:
    """Tells a doorbell that was replaced by a new start from the one already connected."""
    try:
        return os.lstat(folder / name).st_ino
    except OSError:
        return None
