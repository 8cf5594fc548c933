"""A process that gets no more memory or no more descriptors, by limits put on it while it runs."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vigie_devkit.faults.fault import Fault, makes_put
from vigie_devkit.faults.system import System

_PEERS = "none; Docker's memory limit kills, edgeAgent restarts after 10 s"


@makes_put
def limiting(system: System, name: str, kind: int, room: int) -> Iterator[None]:
    """No more than ``room`` beyond what it has now, until the end."""
    pid = system.pid(name)
    before = resource.prlimit(pid, kind)
    used = len(list(Path(f"/proc/{pid}/fd").iterdir())) if kind == resource.RLIMIT_NOFILE else _address_space(pid)
    resource.prlimit(pid, kind, (used + room, before[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, kind, before)


def _address_space(pid: int) -> int:
    """Bytes. Source: proc_pid_statm(5)."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def limit_faults() -> list[Fault]:
    descriptors = [
        Fault(name=f"no-descriptors-{name}", what=f"{name} gets no more file descriptors for 8 s",
              put=limiting(name, resource.RLIMIT_NOFILE, 0), hold_s=8.0, back_within_s=40.0, peers="none")
        for name in ("camera", "inference", "sync", "hub")
    ]  # fmt: skip
    memory = [
        Fault(name=f"no-memory-{name}", what=f"{name} gets no more memory for 8 s",
              put=limiting(name, resource.RLIMIT_AS, 1 << 20), hold_s=8.0, back_within_s=40.0, peers=_PEERS)
        for name in ("preprocess", "inference", "sync")
    ]  # fmt: skip
    return [*descriptors, *memory]
