"""The files of a model that was refused: when they change, the model deserves another look."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from vigie.errors import ConfigRefusedError
from vigie_inference.config import ModelConfig
from vigie_inference.model_files import ModelFiles

# More files than any bundle has; a folder that is something else must not cost a walk over a disk.
_FILES_MAX = 400
_QUIET_S = 5.0

Mark = tuple[tuple[str, int, int], ...]


class RefusedModel:
    """From any thread. ``look`` now and then; true once when the files have changed and then stayed so for one look: a
    copy is done.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: tuple[Path, ...] = ()
        self._refused: Mark = ()
        self._seen: Mark | None = None
        self._files = ModelFiles(_QUIET_S)

    def remember(self, wanted: ModelConfig | None, shelves: Sequence[Path]) -> None:
        """``wanted`` was refused as its files are now."""
        if wanted is None:
            self.forget()
            return
        named = [] if wanted.name is None else [shelf / wanted.name for shelf in shelves]
        with self._lock:
            self._folders = (Path(wanted.path),) if wanted.path is not None else tuple(named)
            self._refused, self._seen = self._mark(), None

    def forget(self) -> None:
        """Nothing is refused."""
        with self._lock:
            self._folders = ()

    def look(self) -> bool:
        """Whether it should be tried again now."""
        with self._lock:
            if not self._folders:
                return False
            now = self._mark()
            if now == self._refused:
                self._seen = None
                return False
            if now != self._seen:
                self._seen = now
                return False
            self._refused, self._seen = now, None
            return True

    def _mark(self) -> Mark:
        where = ", ".join(map(str, self._folders))
        try:
            return self._files.read(where, lambda: mark(self._folders))
        except ConfigRefusedError:
            return ((where, -1, -1),)  # a mount that hangs: another look once it answers


def mark(folders: Sequence[Path]) -> Mark:
    """Path, size and time of change (ns) of every file; empty where there is none."""
    found: list[tuple[str, int, int]] = []
    for folder in folders:
        try:
            for path in sorted(folder.rglob("*"))[:_FILES_MAX]:
                status = path.stat()
                found.append((str(path), status.st_size, status.st_mtime_ns))
        except OSError:
            continue  # being replaced at this moment: the next look sees what is there then
    return tuple(found)
