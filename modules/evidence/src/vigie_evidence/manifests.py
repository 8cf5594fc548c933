"""``samples.jsonl`` of each target and day: grows on the device's disk, and replaces the target's when it has grown.

A line is written after its picture is at the target and before the spool forgets it, so a kill may write it twice:
the last line of a picture counts (``vigie.contracts.samples``). On the device's disk each line is sealed where there
is a key, in base64, and bound to its file; the target gets the lines as they are.
"""

from __future__ import annotations

import base64
import binascii
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vigie.contracts.samples import MANIFEST, Sample
from vigie.log import OncePer, get_logger
from vigie.sealing import BrokenSealError, Seals, is_sealed

log = get_logger("evidence.samples")

_KEPT_DAYS = 14


@dataclass(frozen=True, slots=True)
class Due:
    """A manifest that is longer than the target's. ``blob``: its name there; ``stored``: bytes on the disk."""

    blob: str
    content: bytes
    stored: int
    path: Path


class Manifests:
    """Thread-safe."""

    def __init__(self, folder: Path, seals: Seals) -> None:
        self._folder, self._seals = folder, seals
        self._quiet = OncePer()
        self._lock = threading.Lock()

    def add(self, target: str, blob: str, sample: Sample) -> None:
        """The picture is at ``blob``. On disk when it returns. Raises: OSError."""
        place, _, file = blob.rpartition("/")
        line = msgspec.json.encode(msgspec.structs.replace(sample, picture=file))
        path = self._folder / target / f"{place.replace('/', '@')}.jsonl"
        with self._lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            _end_with_a_line(path)
            with path.open("ab") as lines:
                lines.write(self._stored(line, target, path) + b"\n")
                lines.flush()
                os.fsync(lines.fileno())

    def due(self, target: str) -> Due | None:
        """One that the target has not got as it is. Raises: SealedError: a line's key is not here. OSError."""
        with self._lock:
            for path in sorted((self._folder / target).glob("*.jsonl")):
                content = path.read_bytes()
                if content and _sent(path) != len(content):
                    blob = f"{path.stem.replace('@', '/')}/{MANIFEST}"
                    return Due(blob, self._opened(content, target, path), len(content), path)
        return None

    def _stored(self, line: bytes, target: str, path: Path) -> bytes:
        return line if self._seals.name is None else base64.b64encode(self._seals.close(line, _about(target, path)))

    def _opened(self, content: bytes, target: str, path: Path) -> bytes:
        """Lines as they were written; one that is not what was sealed is left out, and told. Raises: SealedError."""
        lines = []
        for number, line in enumerate(content.splitlines(), 1):
            try:
                lines.append(line if line.startswith(b"{") else self._unsealed(line, _about(target, path)))
            except (binascii.Error, BrokenSealError) as error:
                if self._quiet.ready(f"{path} {number}") is not None:
                    log.error("sample_line_damaged", file=str(path), line=number, reason=str(error))  # noqa: TRY400
        return b"".join(line + b"\n" for line in lines)

    def _unsealed(self, line: bytes, about: str) -> bytes:
        stored = base64.b64decode(line, validate=True)
        if not is_sealed(stored):
            raise BrokenSealError("is not a sealed line")
        return self._seals.open(stored, about)

    def sent(self, due: Due) -> None:
        """The target has it; old ones are forgotten here. Raises: OSError."""
        with self._lock:
            due.path.with_suffix(".sent").write_text(str(due.stored))
            oldest_s = time.time() - _KEPT_DAYS * 86_400
            for path in due.path.parent.glob("*.jsonl"):
                if path != due.path and path.stat().st_mtime < oldest_s and _sent(path) == path.stat().st_size:
                    path.unlink(missing_ok=True)
                    path.with_suffix(".sent").unlink(missing_ok=True)


def _about(target: str, path: Path) -> str:
    return f"samples/{target}/{path.name}"


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
