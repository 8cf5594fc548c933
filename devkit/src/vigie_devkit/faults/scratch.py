"""The folder of a trial: removed at its end, and at the next start if its owner was killed with ``kill -9``."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vigie_devkit.local.processes import ProcessId, start_ticks

PREFIX = "vigie-trial-"
_OWNER = "owner"


@contextmanager
def scratch(root: Path | None = None) -> Iterator[Path]:
    """A new folder under ``root`` (None: where temporary files go), gone at the end, with all that is mounted in it."""
    root = root or Path(tempfile.gettempdir())
    clear_orphans(root)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    (folder / _OWNER).write_text(f"{os.getpid()} {start_ticks(os.getpid())}\n", encoding="ascii")
    try:
        yield folder
    finally:
        _remove(folder)


def clear_orphans(root: Path) -> list[Path]:
    """Remove the folders of trials whose process is gone. Returns: which."""
    orphans = [folder for folder in root.glob(f"{PREFIX}*") if not _is_owned(folder)]
    for folder in orphans:
        _remove(folder)
    return orphans


def _is_owned(folder: Path) -> bool:
    """Doubt keeps it: a folder without an owner may be just being made, or somebody else's."""
    try:
        pid, ticks = (folder / _OWNER).read_text(encoding="ascii").split()
        return ProcessId(int(pid), int(ticks)).is_alive()
    except (OSError, ValueError):
        return True


def _remove(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for path in sorted((one for one in mounts if one.startswith(f"{folder}/")), key=len, reverse=True):
        subprocess.run(["umount", "-l", path], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)
