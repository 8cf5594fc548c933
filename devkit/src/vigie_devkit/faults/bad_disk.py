"""A disk that is slow or fails, without a kernel's help: a file system in user space over a plain folder.

``python -I -m vigie_devkit.faults.bad_disk FOLDER MOUNT COMMAND`` serves until it is unmounted. The file COMMAND says
what is wrong from the next call on: ``slow MS`` (each write and flush takes so long), ``eio`` (each fails), ``hang``
(nothing is answered, as by a server that went away: who asks waits in the kernel, where no signal ends it); without
the file all is well. Needs fusepy, libfuse2 and the right to mount.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

_TIMES = ("st_atime", "st_ctime", "st_mtime")
_STAT = (*_TIMES, "st_gid", "st_mode", "st_nlink", "st_size", "st_uid", "st_blocks", "st_ino")
_SPACE = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_flag", "f_frsize",
          "f_namemax")  # fmt: skip

_HANG_LOOK_S = 0.1


def available() -> bool:
    """Whether fusepy and libfuse are installed and the device is there."""
    try:
        importlib.import_module("fuse")
    except (ImportError, OSError):  # OSError: fusepy without the library
        return False
    return os.access("/dev/fuse", os.R_OK | os.W_OK)


def said(command: str) -> tuple[float, bool]:
    """Seconds that a write takes, and whether it fails. A command that is not understood says that all is well."""
    word, _, rest = command.strip().partition(" ")
    if word == "slow" and rest.isdecimal():
        return int(rest) / 1000, False
    return 0.0, word == "eio"


class Files:
    """What the file system does with each call; names as in libfuse's high-level interface."""

    def __init__(self, folder: Path, command: Path) -> None:
        """All that is asked for lies under ``folder``."""
        self._folder, self._command = str(folder), command

    def __call__(self, operation: str, path: str, *arguments: Any) -> Any:
        """Every operation is called through this."""
        while operation not in {"init", "destroy"} and self._commanded() == "hang":
            time.sleep(_HANG_LOOK_S)
        method = getattr(self, operation, None)
        if method is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        if operation in {"link", "rename"}:
            return method(self._folder + path, self._folder + arguments[0])
        if operation == "symlink":
            return method(self._folder + path, arguments[0])
        return method(self._folder + path, *arguments)

    def _disk(self) -> None:
        """Raises: OSError: EIO, if so commanded."""
        takes_s, fails = said(self._commanded())
        if takes_s:
            time.sleep(takes_s)
        if fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _commanded(self) -> str:
        try:
            return self._command.read_text(encoding="ascii").strip()
        except OSError:
            return ""

    def init(self, _path: str) -> None: ...

    def destroy(self, _path: str) -> None: ...

    def access(self, path: str, mode: int) -> None:
        if not os.access(path, mode):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    def getattr(self, path: str, handle: int | None = None) -> dict[str, Any]:
        found = os.lstat(path) if handle is None else os.fstat(handle)
        return {name: getattr(found, name) for name in _STAT}

    def readdir(self, path: str, _handle: int) -> list[str]:
        return [".", "..", *(entry.name for entry in os.scandir(path))]

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(path)
        return {name: getattr(found, name) for name in _SPACE}

    def create(self, path: str, mode: int) -> int:
        self._disk()
        return os.open(path, os.O_RDWR | os.O_CREAT, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(path, flags & ~(os.O_APPEND | os.O_CREAT))  # the kernel says where each write goes

    def read(self, _path: str, size: int, offset: int, handle: int) -> bytes:
        return os.pread(handle, size, offset)

    def write(self, _path: str, content: bytes, offset: int, handle: int) -> int:
        self._disk()
        return os.pwrite(handle, content, offset)

    def truncate(self, path: str, length: int, handle: int | None = None) -> None:
        self._disk()
        os.truncate(path if handle is None else handle, length)

    def fsync(self, _path: str, _data_only: int, handle: int) -> None:
        self._disk()
        os.fsync(handle)

    def release(self, _path: str, handle: int) -> None:
        os.close(handle)

    def chmod(self, path: str, mode: int) -> None:
        Path(path).chmod(mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        os.lchown(path, uid, gid)

    def link(self, path: str, source: str) -> None:
        self._disk()
        os.link(source, path)

    def mkdir(self, path: str, mode: int) -> None:
        self._disk()
        Path(path).mkdir(mode)

    def mknod(self, path: str, mode: int, device: int) -> None:
        self._disk()
        os.mknod(path, mode, device)

    def readlink(self, path: str) -> str:
        return str(Path(path).readlink())

    def rename(self, path: str, to: str) -> None:
        self._disk()
        Path(path).rename(to)

    def rmdir(self, path: str) -> None:
        Path(path).rmdir()

    def symlink(self, path: str, source: str) -> None:
        self._disk()
        Path(path).symlink_to(source)

    def unlink(self, path: str) -> None:
        Path(path).unlink()

    def utimens(self, path: str, times: tuple[float, float] | None = None) -> None:
        os.utime(path, times)


def main() -> None:
    """Serve in the foreground, one call at a time, as one disk does."""
    folder, mount, command = map(Path, sys.argv[1:])
    fuse = importlib.import_module("fuse")
    fuse.FUSE(
        Files(folder, command), str(mount), foreground=True, nothreads=True, nonempty=True, default_permissions=True
    )


if __name__ == "__main__":
    main()
