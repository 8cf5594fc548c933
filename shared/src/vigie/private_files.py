"""What a process of Vigie writes is its user's alone: twins, ledger, logs and pictures are nobody else's business.

In a container the state folder is a volume that one module alone mounts, and the module's user may change with the
manifest, there and back. So files there are made for the modules' group as well (``VIGIE_FILES=group``, set by the
images; docs/decisions/0064): whichever user the manifest names finds its state.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

VARIABLE = "VIGIE_FILES"
GROUP = "group"
_OURS, _OURS_AND_GROUPS = 0o077, 0o007
_FILE_BITS = stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IWGRP
_FOLDER_BITS = stat.S_IRWXU | stat.S_IRWXG


def keep_files_private(environ: Mapping[str, str] | None = None) -> None:
    """From here on, new files are closed to others, in child processes too; call it before the first is made.

    Args: environ: of a module; ``VIGIE_FILES=group`` leaves the group in.
    Files that another user of the same group must read, such as rings, set their mode themselves.
    """
    os.umask(_OURS_AND_GROUPS if environ is not None and environ.get(VARIABLE) == GROUP else _OURS)


def file_mode() -> int:
    """Of a new file that nobody else may see, for ``os.open``: 0600, or 0660 in a volume of the module's own."""
    mask = os.umask(_OURS)  # the one way to ask; what another thread makes meanwhile is more private, not less
    os.umask(mask)
    return 0o660 if mask == _OURS_AND_GROUPS else 0o600


def open_to_group(folder: Path) -> int:
    """Give the group what the owner may do with ``folder`` and everything in it, as far as it is this user's own.

    What lies in a folder goes before the folder: a folder that the group can enter holds nothing that it cannot read.
    Links are left alone. Returns: how many modes changed. Raises: OSError: ``folder`` cannot be read.
    """
    changed = 0
    for path in _inside_first(folder):
        with contextlib.suppress(FileNotFoundError):
            changed += _open_one(path)
    return changed


def _inside_first(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            with contextlib.suppress(PermissionError, FileNotFoundError):
                yield from _inside_first(path)
        elif entry.is_file(follow_symlinks=False):
            yield path
    yield folder


def _open_one(path: Path) -> bool:
    facts = path.lstat()
    if facts.st_uid != os.geteuid():
        return False
    bits = _FOLDER_BITS if stat.S_ISDIR(facts.st_mode) else _FILE_BITS
    wanted = stat.S_IMODE(facts.st_mode) & ~stat.S_IRWXO | bits
    if wanted == stat.S_IMODE(facts.st_mode):
        return False
    path.chmod(wanted, follow_symlinks=False) if os.chmod in os.supports_follow_symlinks else path.chmod(wanted)
    return True
