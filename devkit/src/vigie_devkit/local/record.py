"""run.json: what an `up` tells about itself, for the commands beside it and for whoever cleans up after it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vigie_devkit.local.processes import ProcessId


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``frames``: frame folder; ``workload``: the hub's socket folder; ``sources``: without passwords."""

    up: ProcessId
    started_at: str
    listen: str
    frames: str
    workload: str | None = None
    sources: dict[str, str] = {}
    bundle: str = ""
    processes: dict[str, ProcessId] = {}


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
