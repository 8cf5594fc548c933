"""Does a folder survive a power loss at all? A commit can reach a disk only where there is one."""

from __future__ import annotations

from pathlib import Path

_IN_MEMORY = {"tmpfs", "ramfs"}
_MOUNTS = Path("/proc/self/mountinfo")


def in_memory(folder: Path) -> str | None:
    """The kind of file system that ``folder`` lies on if that is memory; None: it is not, or nobody can tell."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
        real = str(folder.resolve())
    except OSError:
        return None
    return kind_of(lines, real)


def kind_of(mounts: list[str], path: str) -> str | None:
    """Args: mounts: lines of ``/proc/self/mountinfo`` (man proc_pid_mountinfo); of equal places the last counts."""
    found, longest = "", -1
    for line in mounts:
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or not kinds:
            continue
        place = fields[4].replace("\\040", " ")
        inside = place in {"/", path} or path.startswith(place + "/")
        if inside and len(place) >= longest:
            found, longest = kinds[0], len(place)
    return found if found in _IN_MEMORY else None
