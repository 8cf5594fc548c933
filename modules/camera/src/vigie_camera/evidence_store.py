"""Chosen pictures and clips on disk, for the evidence module."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from vigie.chosen_files import about_chosen, about_chosen_facts
from vigie.contracts.evidence import FACTS_SUFFIX, EvidenceFacts
from vigie.log import get_logger
from vigie.sealed_files import Checksum, sealed_chunks, whole_records
from vigie.sealing import Seals
from vigie_camera.config import EvidenceStore
from vigie_camera.file_store import FileStore

log = get_logger("camera.evidence")


class EvidenceFolder(FileStore):
    """The folder of evidence."""

    suffixes = (".jpg", ".mp4")
    # Read by the evidence module, which is another user of the same group; the process's umask is 077.
    mode = 0o640

    def __init__(self, folder: Path, seals: Seals) -> None:
        super().__init__(folder, seals, EvidenceStore())

    def save(self, name: str, suffix: str, pieces: Iterable[bytes], facts: dict[str, Any]) -> EvidenceFacts | None:
        """Write the file, then its facts. None: there is evidence of that name already. Raises: OSError."""
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{name}{suffix}"
            if path.with_name(f"{name}{FACTS_SUFFIX}").exists():
                return None
            checksum = Checksum()
            content = sealed_chunks(whole_records(checksum.of(pieces)), about_chosen(path.name), self._seals)
            self._put(path, content, make_room=True)
            done = msgspec.convert(
                {
                    "schema": "vigie.evidence/1", "name": name, "file": path.name, "bytes": checksum.length,
                    "sha256": checksum.sha256, **facts,
                },
                EvidenceFacts,
            )  # fmt: skip
            sealed = self._seals.close(msgspec.json.encode(done), about_chosen_facts(name))
            self._put(self.folder / f"{name}{FACTS_SUFFIX}", [sealed])
        log.info("evidence_kept", camera=done.camera, file=done.file, bytes=done.bytes)
        return done

    def _tell_removed(self, name: str, reason: str) -> None:
        log.info("evidence_removed", file=name, reason=reason)
