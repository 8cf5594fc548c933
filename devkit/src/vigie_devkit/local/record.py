"""run.json: what an `up` tells about itself, for the commands beside it and for whoever cleans up after it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from vigie_devkit.local.processes import ProcessId


class ProcessRecord(msgspec.Struct, frozen=True):
    """A process by pid and start time (clock ticks since boot), so that a pid used again is not mistaken for it."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, identity: ProcessId) -> ProcessRecord:
        return cls(identity.pid, identity.start_ticks)

    def identity(self) -> ProcessId:
        return ProcessId(self.pid, self.start_ticks)


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``frames``: frame folder; ``workload``: the hub's socket folder, once known; ``sources``: without passwords."""

    up: ProcessRecord
    started_at: str
    listen: str
    frames: str
    workload: str | None = None
    sources: dict[str, str] = {}
    bundle: str = ""
    processes: dict[str, ProcessRecord] = {}


def write_record(path: Path, record: RunRecord) -> None:
    """Replace run.json in one step."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    beside.replace(path)


def read_record(path: Path) -> RunRecord | None:
    """The record, None if there is none that can be read (a run that never got so far)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunRecord)
    except (OSError, msgspec.MsgspecError):
        return None


def workload_folder(hub_json: Path) -> str | None:
    """Where the hub keeps its workload sockets, by its own word."""
    try:
        found = json.loads(hub_json.read_text(encoding="utf-8")).get("workload_dir")
    except (OSError, ValueError):
        return None
    return found if isinstance(found, str) else None
