"""Whose rings are read and written: shared memory belongs to everybody, and whoever makes the folder first keeps it.

A ring is believed if it is this user's own, or lies in a folder that root made and that is closed to others, as a
volume of the engine is: there only modules that mount it for writing can put files, and each only its own (sticky).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vigie.errors import RingRefusedError

_OTHERS_WRITE = stat.S_IWOTH


def open_folder(folder: Path, mode: int) -> None:
    """Make ``folder`` if it is missing, and close it to others if it is ours.

    Raises: RingRefusedError: it is another user's, a link, or open to others and not ours to close. OSError.
    """
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        # A link that root or this user made, such as /dev/shm/vigie -> /frames, is a setting; its target counts.
        if status.st_uid not in (0, os.geteuid()):
            raise RingRefusedError(f"would lie behind a link of another user (uid {status.st_uid}); remove {folder}")
        status = folder.stat()
    if status.st_uid not in (0, os.geteuid()):
        raise RingRefusedError(f"would lie in {folder}, which belongs to another user (uid {status.st_uid}); remove it")
    if not status.st_mode & _OTHERS_WRITE:
        return
    if status.st_uid != os.geteuid():
        raise RingRefusedError(f"would lie in {folder}, which everybody may write; make a folder for frames alone")
    folder.chmod(stat.S_IMODE(status.st_mode) & ~stat.S_IRWXO)


def check_owner(descriptor: int, folder: Path, *, writable: bool) -> None:
    """Raises: RingRefusedError: the open ring file is somebody else's."""
    owner = os.fstat(descriptor).st_uid
    if owner == os.geteuid():
        return
    status = folder.stat()
    if not writable and status.st_uid == 0 and not status.st_mode & _OTHERS_WRITE:
        return
    raise RingRefusedError(f"belongs to another user (uid {owner}); remove it")
