"""Replacing a file so that nobody, power loss included, ever sees half of it."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int | None = None, durable: bool = True) -> None:
    """Replace ``path`` so that a reader, or a reboot, sees the old or the new content and nothing between.

    Args: mode: permissions, whatever the process's mask; None: as the mask has it.
        durable: False leaves out the two fsync: a kill is survived, a power loss may bring the old content back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o666 if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(descriptor)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    if durable:
        sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Make the content of a file, or the names in a folder, survive a power loss. Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
