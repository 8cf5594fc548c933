"""Content that waits in the spool, read as it was taken from the camera, whether it lies in the clear or sealed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

from vigie.contracts.evidence import EvidenceFacts
from vigie.sealed_files import opened_chunks, opened_part
from vigie.sealing import BrokenSealError, Seals


class DamagedError(Exception):
    """The content is not what its facts say."""


def about_content(facts: EvidenceFacts) -> str:
    """What sealed content is bound to: its own hash, as several targets share one file."""
    return f"spool-content/{facts.sha256}"


class Content:
    """One file of the spool. Each method raises DamagedError where it is not what was taken; SealedError; OSError."""

    def __init__(self, path: Path, facts: EvidenceFacts, seals: Seals) -> None:
        """Opens nothing yet."""
        self.path, self.facts, self._seals = path, facts, seals

    def read(self, at: int, length: int) -> bytes:
        """``length`` bytes from ``at`` on, all of which are there."""
        facts = self.facts
        with self.path.open("rb") as file:
            try:
                return opened_part(file, about_content(facts), self._seals, size=facts.bytes, at=at, length=length)
            except BrokenSealError as error:
                raise DamagedError(f"{self.path.name}: {error}") from error

    def pieces(self) -> Iterator[bytes]:
        """All of it, at most 1 MiB each; that it is what was taken is known after the last one."""
        digest, length = hashlib.sha256(), 0
        with self.path.open("rb") as file:
            try:
                for piece in opened_chunks(file, about_content(self.facts), self._seals):
                    digest.update(piece)
                    length += len(piece)
                    yield piece
            except BrokenSealError as error:
                raise DamagedError(f"{self.path.name}: {error}") from error
        check(self.facts, length, digest.hexdigest())

    def md5(self) -> str:
        """Base64, as a storage account has it; of content whose SHA-256 was compared with the facts."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces():
            digest.update(piece)
        return base64.b64encode(digest.digest()).decode()


def check(facts: EvidenceFacts, length: int, sha256: str) -> None:
    """Raises: DamagedError."""
    if length != facts.bytes or sha256 != facts.sha256:
        raise DamagedError(
            f"{facts.file} has {length} bytes, sha256 {sha256[:12]}; its facts say {facts.bytes}, {facts.sha256[:12]}"
        )
