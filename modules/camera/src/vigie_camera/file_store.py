"""What the camera module keeps on disk: files with facts beside them, whole or not there, oldest removed first."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from vigie.config.atomic import sync_path
from vigie.contracts.evidence import FACTS_SUFFIX
from vigie.sealing import Seals
from vigie_camera.config import ClipStore, EvidenceStore

_PART = ".part"
_TIDY_S = 60.0


class FileStore(ABC):
    """A folder that is this module's alone to write; thread-safe. A file that has no facts is unfinished."""

    suffixes: ClassVar[tuple[str, ...]]
    mode: ClassVar[int | None] = None

    def __init__(self, folder: Path, seals: Seals, bounds: ClipStore | EvidenceStore) -> None:
        """Nothing is made before the first file. ``seals``: files and facts are sealed, where there is a key."""
        self.folder, self._seals, self._bounds = folder, seals, bounds
        self._lock = threading.Lock()

    def configure(self, bounds: ClipStore | EvidenceStore) -> None:
        """In force at once: what is too much goes."""
        self._bounds = bounds
        self.tidy(time.time())

    def run(self, stop: threading.Event) -> None:
        """The body of a thread: files go when they are old enough, also while none comes."""
        while not stop.wait(_TIDY_S):
            self.tidy(time.time())

    def tidy(self, now_s: float) -> None:
        """Remove what is too old, and what a kill left half-written."""
        with self._lock, suppress(OSError):
            for path in self.folder.glob(f"*{_PART}"):
                path.unlink(missing_ok=True)
            for path in [path for suffix in self.suffixes for path in self.folder.glob(f"*{suffix}")]:
                if not path.with_suffix(FACTS_SUFFIX).exists():
                    path.unlink(missing_ok=True)
            self._make_room(0, now_s)

    @abstractmethod
    def _tell_removed(self, name: str, reason: str) -> None:
        """Log it. ``name``: without a suffix."""

    def _make_room(self, needed: int, now_s: float) -> None:
        found = []
        for facts in self.folder.glob(f"*{FACTS_SUFFIX}"):
            files = [path for suffix in self.suffixes if (path := facts.with_suffix(suffix)).exists()]
            found.append((facts.stat().st_mtime, facts, sum(path.stat().st_size for path in files), files))
        used = sum(size for _, _, size, _ in found)
        oldest_s = now_s - self._bounds.hours * 3600
        for written_s, facts, size, files in sorted(found):
            if written_s >= oldest_s and used + needed <= self._bounds.bytes:
                break
            used -= size
            # The facts first: without them the file counts as unfinished.
            for path in (facts, *files):
                path.unlink(missing_ok=True)
            self._tell_removed(facts.stem, "age" if written_s < oldest_s else "room")

    def _put(self, path: Path, content: Iterable[bytes], *, make_room: bool = False) -> None:
        """Whole under its name, or not at all. ``make_room``: as soon as its length is known. Raises: OSError."""
        part = path.with_name(path.name + _PART)
        try:
            with part.open("wb") as file:
                if self.mode is not None:
                    os.fchmod(file.fileno(), self.mode)
                for chunk in content:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
                length = file.tell()
            if make_room:
                self._make_room(length, time.time())
            part.replace(path)
            # What its asker is told of survives a power loss under its name, too.
            sync_path(path.parent)
        finally:
            part.unlink(missing_ok=True)
