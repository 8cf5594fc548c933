"""Frame folders in shared memory: claimed for one user while a run lives, removed after one that was killed.

/dev/shm belongs to everybody: whoever makes the folder first would keep its mode and could plant rings in it. A living
run holds a lock on the marker in its folder; the kernel frees it with the process, so a sweep needs no process ids.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vigie_devkit.local.errors import FrameFolderError, StateFolderError
from vigie_devkit.local.footprint import MEGABYTE, folder_bytes
from vigie_devkit.local.ownership import MARKER

_CLAIM_WITHIN_S = 2.0  # a sweep holds the lock for a moment only
# What versions before the marker left: rings, their writers' locks, cursors, doorbells.
_KNOWN = re.compile(r".*\.(ring|writer|cursor|new)|[0-9a-f]{16}\.\w+")


def claim_frames(folder: Path) -> int:
    """Make ``folder`` private and ours. Returns: the descriptor that holds it; closing it (or dying) lets it go.

    Raises: FrameFolderError: another user made it, or put something into it; a living run holds it. StateFolderError.
    """
    deadline = time.monotonic() + _CLAIM_WITHIN_S
    while True:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_owner(folder)
            return _locked_marker(folder, os.O_CREAT)
        except (BlockingIOError, FileNotFoundError) as error:  # a sweep is at work
            if time.monotonic() > deadline:
                raise FrameFolderError(folder, "is held by a run that is up") from error
            time.sleep(0.01)
        except OSError as error:
            raise StateFolderError(folder, error) from error


@contextmanager
def temporary_frames(prefix: str, root: Path) -> Iterator[Path]:
    """A frame folder while entered; after a kill the next start of anything removes it. Raises: OSError."""
    folder = Path(tempfile.mkdtemp(prefix=f"vigie-{prefix}-", dir=root))
    descriptor = claim_frames(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def dead_frames(root: Path) -> list[Path]:
    """Frame folders of this user in ``root`` that nobody holds."""
    found = []
    for folder in sorted(root.glob("vigie-*")):
        with _held_if_dead(folder) as dead:
            if dead:
                found.append(folder)
    return found


def remove_dead_frames(root: Path) -> list[str]:
    """Remove `dead_frames`. Returns: what went, for people."""
    removed = []
    for folder in sorted(root.glob("vigie-*")):
        with _held_if_dead(folder) as dead:
            if dead:
                removed.append(f"frames {folder} ({folder_bytes(folder) / MEGABYTE:.1f} MB)")
                shutil.rmtree(folder, ignore_errors=True)
    return removed


def is_frame_folder(folder: Path) -> bool:
    """True for a folder of this user that is marked, or holds nothing but what versions before the marker made."""
    try:
        status = folder.lstat()
        names = {path.name for path in folder.iterdir()} if stat.S_ISDIR(status.st_mode) else {""}
    except OSError:
        return False
    return status.st_uid == os.getuid() and (MARKER in names or all(_KNOWN.fullmatch(name) for name in names))


def holds_frames(folder: Path) -> bool:
    """True if more than the marker lies in it."""
    return any(path.name != MARKER for path in folder.iterdir())


def _check_owner(folder: Path) -> None:
    """Raises: FrameFolderError, OSError."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise FrameFolderError(folder, f"belongs to another user (uid {status.st_uid})")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o700)
        # Private from here on: nobody can add to what is now looked at.
        for name in os.listdir(descriptor):  # noqa: PTH208  by descriptor: a path may mean something else by now
            if os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_uid != os.getuid():
                raise FrameFolderError(folder, f"holds {name} of another user")
    finally:
        os.close(descriptor)


def _locked_marker(folder: Path, flags: int) -> int:
    """Raises: BlockingIOError: somebody holds it; FileNotFoundError: the file is missing; OSError."""
    marker = folder / MARKER
    descriptor = os.open(marker, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), marker.lstat()):
            raise FileNotFoundError(marker)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _held_if_dead(folder: Path) -> Iterator[bool]:
    """While entered with True nobody lives in ``folder``, and nobody moves in."""
    try:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise FileNotFoundError(folder)
        descriptor = _locked_marker(folder, 0)
    except OSError:
        yield False
        return
    try:
        yield stat.S_ISREG(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
