"""``samples.jsonl`` of each target and day: grows on the device's disk, and replaces the target's when it has grown.

A line is written after its picture is at the target and before the spool forgets it, so a kill may write it twice:
the last line of a picture counts (``vigie.contracts.samples``).
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vigie.contracts.samples import MANIFEST, Sample

_KEPT_DAYS = 14


@dataclass(frozen=True, slots=True)
class Due:
    """A manifest that is longer than the target's. ``blob``: its name there."""

    blob: str
    content: bytes
    path: Path


class Manifests:
    """Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def add(self, target: str, blob: str, sample: Sample) -> None:
        """The picture is at ``blob``. On disk when it returns. Raises: OSError."""
        place, _, file = blob.rpartition("/")
        line = msgspec.json.encode(msgspec.structs.replace(sample, picture=file)) + b"\n"
        path = self._folder / target / f"{place.replace('/', '@')}.jsonl"
        with self._lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            _end_with_a_line(path)
            with path.open("ab") as lines:
                lines.write(line)
                lines.flush()
                os.fsync(lines.fileno())

    def due(self, target: str) -> Due | None:
        """One that the target has not got as it is. Raises: OSError."""
        with self._lock:
            for path in sorted((self._folder / target).glob("*.jsonl")):
                content = path.read_bytes()
                if content and _sent(path) != len(content):
                    return Due(f"{path.stem.replace('@', '/')}/{MANIFEST}", content, path)
        return None

    def sent(self, due: Due) -> None:
        """The target has it; old ones are forgotten here. Raises: OSError."""
        with self._lock:
            due.path.with_suffix(".sent").write_text(str(len(due.content)))
            oldest_s = time.time() - _KEPT_DAYS * 86_400
            for path in due.path.parent.glob("*.jsonl"):
                if path != due.path and path.stat().st_mtime < oldest_s and _sent(path) == path.stat().st_size:
                    path.unlink(missing_ok=True)
                    path.with_suffix(".sent").unlink(missing_ok=True)


def _sent(path: Path) -> int:
    try:
        return int(path.with_suffix(".sent").read_text())
    except (OSError, ValueError):
        return -1


def _end_with_a_line(path: Path) -> None:
    """Cut off what a kill left of a line."""
    if not path.exists():
        return
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)
