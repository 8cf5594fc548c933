"""A process with everything it started: a camera's decoders belong to what the camera module costs."""

from __future__ import annotations

from pathlib import Path


def tree(pid: int, proc: Path = Path("/proc")) -> list[int]:
    """``pid`` and its living descendants, itself first. Source: proc_pid_task_children(5)."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for children in (proc / str(one) / "task").glob("*/children"):
            try:
                waiting += [int(child) for child in children.read_text(encoding="ascii").split()]
            except OSError:
                continue  # a thread that ended while we looked
    return found
