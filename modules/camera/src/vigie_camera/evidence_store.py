"""Chosen pictures and clips on disk, for the evidence module: written whole or not at all, oldest removed first."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from vigie.chosen_files import about_chosen, about_chosen_facts
from vigie.config.atomic import sync_folder
from vigie.contracts.evidence import FACTS_SUFFIX, EvidenceFacts
from vigie.log import get_logger
from vigie.sealed_files import Checksum, sealed_chunks, whole_records
from vigie.sealing import Seals
from vigie_camera.config import EvidenceStore

log = get_logger("camera.evidence")

_PART = ".part"
_TIDY_S = 60.0
# Read by the evidence module, which is another user of the same group; the process's umask is 077.
_MODE = 0o640


class EvidenceFolder:
    """This module's alone to write; thread-safe."""

    def __init__(self, folder: Path, seals: Seals) -> None:
        """Nothing is made before the first file. ``seals``: files and facts are sealed, where there is a key."""
        self.folder, self._seals = folder, seals
        self._bounds = EvidenceStore()
        self._lock = threading.Lock()

    def configure(self, bounds: EvidenceStore) -> None:
        """In force at once: what is too much goes."""
        self._bounds = bounds
        self.tidy(time.time())

    def save(self, name: str, suffix: str, pieces: Iterable[bytes], facts: dict[str, Any]) -> EvidenceFacts | None:
        """Write the file, then its facts. None: there is evidence of that name already. Raises: OSError."""
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{name}{suffix}"
            if path.with_name(f"{name}{FACTS_SUFFIX}").exists():
                return None
            part = path.with_name(path.name + _PART)
            checksum = Checksum()
            try:
                with part.open("wb") as file:
                    os.fchmod(file.fileno(), _MODE)
                    for piece in sealed_chunks(
                        whole_records(checksum.of(pieces)), about_chosen(path.name), self._seals
                    ):
                        file.write(piece)
                    file.flush()
                    os.fsync(file.fileno())
                    written = file.tell()
                self._make_room(written, time.time())
                part.replace(path)
                done = msgspec.convert(
                    {
                        "schema": "vigie.evidence/1", "name": name, "file": path.name, "bytes": checksum.length,
                        "sha256": checksum.sha256, **facts,
                    },
                    EvidenceFacts,
                )  # fmt: skip
                sealed = self._seals.close(msgspec.json.encode(done), about_chosen_facts(name))
                _put(self.folder / f"{name}{FACTS_SUFFIX}", sealed)
            finally:
                part.unlink(missing_ok=True)
        log.info("evidence_kept", camera=done.camera, file=done.file, bytes=done.bytes)
        return done

    def run(self, stop: threading.Event) -> None:
        """The body of a thread: files go when they are old enough, also while none comes."""
        while not stop.wait(_TIDY_S):
            self.tidy(time.time())

    def tidy(self, now_s: float) -> None:
        """Remove what is too old, and what a kill left half-written."""
        with self._lock, suppress(OSError):
            for path in self.folder.glob(f"*{_PART}"):
                path.unlink(missing_ok=True)
            for path in self.folder.iterdir() if self.folder.is_dir() else ():
                if path.suffix != FACTS_SUFFIX and not path.with_name(f"{path.stem}{FACTS_SUFFIX}").exists():
                    path.unlink(missing_ok=True)
            self._make_room(0, now_s)

    def _make_room(self, needed: int, now_s: float) -> None:
        found = []
        for path in self.folder.glob(f"*{FACTS_SUFFIX}"):
            files = [one for one in self.folder.glob(f"{path.stem}.*") if one != path]
            found.append((path.stat().st_mtime, sum(one.stat().st_size for one in files), path, files))
        used = sum(size for _, size, _, _ in found)
        oldest_s = now_s - self._bounds.hours * 3600
        for written_s, size, path, files in sorted(found, key=lambda one: (one[0], one[2])):
            if written_s >= oldest_s and used + needed <= self._bounds.bytes:
                break
            used -= size
            # The facts first: without them the file counts as unfinished.
            path.unlink(missing_ok=True)
            for one in files:
                one.unlink(missing_ok=True)
            log.info("evidence_removed", file=path.stem, reason="age" if written_s < oldest_s else "room")


def _put(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + _PART)
    with part.open("wb") as file:
        os.fchmod(file.fileno(), _MODE)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    # What its asker is told of survives a power loss under its name, too.
    sync_folder(path.parent)
