"""A folder of the device: to look at evidence without an account."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from vigie.config.atomic import write_atomically
from vigie.errors import ConfigRefusedError
from vigie_evidence.content import Content
from vigie_evidence.target import ContentRefusedError, Surroundings, TargetAwayError, Upload, UploadReceipt

FOLDER_VARIABLE = "VIGIE_EVIDENCE_FOLDER"


class FolderTarget:
    """See ``Target``. A file appears whole."""

    def __init__(self, name: str, around: Surroundings) -> None:
        """Raises: ConfigRefusedError: the device allows no folder."""
        if around.folder is None:
            raise ConfigRefusedError(
                "path", f"this device allows no folder; its owner sets {FOLDER_VARIABLE} to one (./vigie up does)"
            )
        self._folder = around.folder / name

    def upload(self, upload: Upload) -> UploadReceipt:
        path = self._folder / upload.blob
        upload.moved(upload.facts.bytes)
        try:
            if path.exists():
                if path.stat().st_size != upload.facts.bytes or _sha256(path) != upload.facts.sha256:
                    raise ContentRefusedError(f"another file is at {path}; it is left as it is")
                return UploadReceipt(path.as_uri())
            _copy(upload.data, path)
        except OSError as error:
            raise TargetAwayError(f"cannot write {path} ({error.strerror})") from error
        return UploadReceipt(path.as_uri())

    def replace(self, blob: str, content: bytes, stop: threading.Event) -> None:  # noqa: ARG002
        path = self._folder / blob
        try:
            write_atomically(path, content)
        except OSError as error:
            raise TargetAwayError(f"cannot write {path} ({error.strerror})") from error

    def close(self) -> None:
        """Nothing is open."""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(content: Content, path: Path) -> None:
    """Raises: DamagedError, and nothing is there then. OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            for piece in content.pieces():
                file.write(piece)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
