"""The folder of a hub's workload sockets: claimed while the hub lives, removed after a hub that was killed.

A living hub holds a lock on its folder in /tmp; the kernel frees it with the process, so that nobody has to believe in
process ids. A sweep takes the same lock before it removes anything, and a hub that starts makes sure that what it
locked is still there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vigie_edgehub.errors import HubStartError

_MAX_SOCKET_PATH = 100  # the kernel takes 107
_LONGEST_NAME = 26  # of a socket, with its slash
_CLAIM_WITHIN_S = 2.0  # a sweep holds the lock for a moment only


def socket_folder(state: Path) -> Path:
    """In ``state``, or where that path is too long for a socket, in /tmp.

    The same for the same ``state``: a module that lives longer than its hub finds its socket again.
    """
    folder = state / "workload"
    if len(os.fsencode(folder)) + _LONGEST_NAME <= _MAX_SOCKET_PATH:
        return folder
    mark = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"vigie-{os.getuid()}-{mark}"


@contextmanager
def claimed_folder(state: Path, within_s: float = _CLAIM_WITHIN_S) -> Iterator[Path]:
    """`socket_folder` of ``state``, made, private and ours while entered; removed at the end if it is empty.

    Raises: HubStartError: it belongs to somebody else, or to a hub that lives.
    """
    folder = socket_folder(state)
    try:
        descriptor = _claim(folder, within_s, shared=folder.parent != state)
    except BlockingIOError as error:
        raise HubStartError(
            f"another hub still serves the sockets in {folder}, though its state folder is gone; "
            "stop it or pass another --state"
        ) from error
    except OSError as error:
        raise HubStartError(f"the folder for workload sockets {folder} cannot be made: {error.strerror}") from error
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):  # somebody keeps a file of his own in it
            folder.rmdir()
        os.close(descriptor)


def dead_folders() -> list[Path]:
    """Folders in /tmp that killed hubs of this user left: nobody holds them, nothing but dead sockets is in them."""
    found = []
    for folder in _folders():
        with _held_if_dead(folder) as dead:
            if dead:
                found.append(folder)
    return found


def remove_dead_folder(folder: Path) -> bool:
    """Remove it if it still is one of `dead_folders`. A living hub's is never touched, nor one with other files."""
    with _held_if_dead(folder) as dead:
        if not dead:
            return False
        with contextlib.suppress(OSError):  # what appeared in it meanwhile is somebody's own
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
    return not folder.exists()


def remove_dead_folders() -> list[Path]:
    return [folder for folder in _folders() if remove_dead_folder(folder)]


def _folders() -> list[Path]:
    name = re.compile(rf"vigie-{os.getuid()}-[0-9a-f]{{12}}")
    return sorted(path for path in Path(tempfile.gettempdir()).glob("vigie-*") if name.fullmatch(path.name))


def _claim(folder: Path, within_s: float, *, shared: bool) -> int:
    """Args: shared: others can see it, sweeps too, so it is locked.

    Raises: HubStartError, OSError.
    """
    deadline = time.monotonic() + within_s
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise HubStartError(f"{folder} belongs to somebody else; remove it or pass another --state")
        try:
            descriptor = _locked(folder) if shared else _opened(folder)
            os.fchmod(descriptor, 0o700)
        except (BlockingIOError, FileNotFoundError):  # a sweep is at work
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return descriptor


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _locked(folder: Path) -> int:
    """Raises: BlockingIOError: somebody else holds it; FileNotFoundError: it was removed in between; OSError."""
    descriptor = _opened(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), folder.lstat()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _held_if_dead(folder: Path) -> Iterator[bool]:
    """While entered with True nobody lives in ``folder``, and no hub moves in."""
    try:
        descriptor = _locked(folder)
    except OSError:
        yield False
        return
    try:
        yield os.fstat(descriptor).st_uid == os.getuid() and _all_dead(folder)
    finally:
        os.close(descriptor)


def _all_dead(folder: Path) -> bool:
    try:
        return all(map(_is_dead_socket, folder.iterdir()))
    except FileNotFoundError:  # somebody without the lock removes it in this moment
        return False


def _is_dead_socket(path: Path) -> bool:
    """Nobody listens. A hub from before the lock was invented is known to live by this alone."""
    if not stat.S_ISSOCK(path.lstat().st_mode):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED
