"""Clips on disk: written whole or not at all, oldest removed first. Used by method threads."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vigie.clip_files import about_clip, about_facts
from vigie.config.atomic import sync_folder
from vigie.contracts.clips import CLIP_SUFFIX, FACTS_SUFFIX, ClipFacts
from vigie.errors import MethodRefusedError
from vigie.log import get_logger
from vigie.sealed_files import RECORD_BYTES, Checksum, sealed_chunks
from vigie.sealing import Seals
from vigie_camera.clip_desk import Taken
from vigie_camera.config import ClipStore

log = get_logger("camera.clips")

_PART = ".part"
_TIDY_S = 60.0


class Clips:
    """The folder of clips, which is this module's alone to write."""

    def __init__(self, folder: Path, seals: Seals) -> None:
        """Nothing is made before the first clip. ``seals``: clips and their facts are sealed, where there is a key."""
        self.folder, self._seals = folder, seals
        self._bounds = ClipStore()
        self._lock = threading.Lock()

    def configure(self, bounds: ClipStore) -> None:
        """In force at once: what is too much goes."""
        self._bounds = bounds
        self.tidy(time.time())

    def save(self, camera: str, taken: Taken, *, before_s: float, after_s: float, label: str | None) -> ClipFacts:
        """Write ``taken``, whose memory is given back. Returns: what is in the file beside it.

        Raises: MethodRefusedError: 409, larger than all clips together may be; 503, the disk refuses it.
        """
        facts = taken.facts
        try:
            if facts.length > self._bounds.bytes:
                raise MethodRefusedError(
                    409, f"the clip has {facts.length:,} bytes, clip_store.bytes allows {self._bounds.bytes:,} in all"
                )
            started = datetime.fromtimestamp(taken.ended_wall_s - facts.seconds, UTC)
            name = f"{camera}-{started:%Y%m%dT%H%M%S}.{started.microsecond // 1000:03d}Z"
            with self._lock:
                self._make_room(facts.length, time.time())
                path = self._free(name)
                checksum = Checksum()
                content = checksum.of(_chunks(taken.fd, facts.length))
                _put(path, sealed_chunks(content, about_clip(path.name), self._seals))
                done = ClipFacts(
                    file=path.name,
                    camera=camera,
                    bytes=facts.length,
                    sha256=checksum.sha256,
                    started_at=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    seconds=round(facts.seconds, 3),
                    before_s=round(facts.before_s, 3),
                    before_asked_s=before_s,
                    after_asked_s=after_s,
                    codec=facts.codec,
                    frame_hw=facts.size_hw,
                    label=label,
                )
                sealed = self._seals.close(msgspec.json.encode(done), about_facts(path.name))
                _put(path.with_suffix(FACTS_SUFFIX), [sealed])
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise MethodRefusedError(503, f"the clip cannot be written to {self.folder} ({reason})") from error
        finally:
            os.close(taken.fd)
        log.info("clip_recorded", camera=camera, file=done.file, bytes=done.bytes, seconds=done.seconds)
        return done

    def run(self, stop: threading.Event) -> None:
        """The body of a thread: clips go when they are old enough, also while none is recorded."""
        while not stop.wait(_TIDY_S):
            self.tidy(time.time())

    def tidy(self, now_s: float) -> None:
        """Remove what is too old, and what a kill left half-written."""
        with self._lock, suppress(OSError):
            for path in self.folder.glob(f"*{_PART}"):
                path.unlink(missing_ok=True)
            for path in self.folder.glob(f"*{CLIP_SUFFIX}"):
                if not path.with_suffix(FACTS_SUFFIX).exists():
                    path.unlink(missing_ok=True)
            self._make_room(0, now_s)

    def _make_room(self, needed: int, now_s: float) -> None:
        found = sorted((path.stat().st_mtime, path) for path in self.folder.glob(f"*{CLIP_SUFFIX}"))
        used = sum(path.stat().st_size for _, path in found)
        oldest_s = now_s - self._bounds.hours * 3600
        for written_s, path in found:
            if written_s >= oldest_s and used + needed <= self._bounds.bytes:
                break
            used -= path.stat().st_size
            # The facts first: without them the clip counts as unfinished.
            path.with_suffix(FACTS_SUFFIX).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            log.info("clip_removed", file=path.name, reason="age" if written_s < oldest_s else "room")

    def _free(self, name: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path, number = self.folder / f"{name}{CLIP_SUFFIX}", 1
        while path.exists():
            number += 1
            path = self.folder / f"{name}-{number}{CLIP_SUFFIX}"
        return path


def _chunks(memory_fd: int, length: int) -> Iterator[bytes]:
    """``length`` bytes. Raises: OSError."""
    at = 0
    while at < length:
        chunk = os.pread(memory_fd, min(RECORD_BYTES, length - at), at)
        if not chunk:
            raise OSError(None, "the decoder took its memory back")
        yield chunk
        at += len(chunk)


def _put(path: Path, content: Iterable[bytes]) -> None:
    """Whole under its name, or not at all. Raises: OSError."""
    part = path.with_name(path.name + _PART)
    with part.open("xb") as file:
        for chunk in content:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    # What its asker is told of survives a power loss under its name, too.
    sync_folder(path.parent)
