"""How much shared memory a ring takes, and whether the frame folder has it: asked at start, not found out by SIGBUS."""

from __future__ import annotations

import os
from pathlib import Path

from vigie.errors import RingNoSpaceError
from vigie.frames.layout import RingGeometry


def ring_bytes(*, slots: int, slot_bytes: int) -> int:
    """Size of the file of such a ring; it is charged to the memory limit of the container that writes it."""
    return RingGeometry(slots, slot_bytes).total_bytes


def free_bytes(folder: Path) -> int | None:
    """What this process may still allocate in the file system of ``folder``; None: it has no limit of its own."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize if status.f_blocks else None


def check_space(folder: Path, needed: int) -> None:
    """Refuse a frame folder that cannot hold ``needed`` more bytes.

    Raises: RingNoSpaceError: full or too small, with both numbers and what to change.
    """
    free = free_bytes(folder)
    if free is not None and free < needed:
        raise RingNoSpaceError(str(folder), needed, free)
