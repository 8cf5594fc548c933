"""Clips on disk. Used by method threads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vigie.clip_files import about_clip, about_facts
from vigie.contracts.clips import CLIP_SUFFIX, FACTS_SUFFIX, ClipFacts
from vigie.errors import MethodRefusedError
from vigie.log import get_logger
from vigie.sealed_files import RECORD_BYTES, Checksum, sealed_chunks
from vigie.sealing import Seals
from vigie_camera.clip_desk import FinishedClip
from vigie_camera.config import ClipStore
from vigie_camera.file_store import FileStore

log = get_logger("camera.clips")


class Clips(FileStore):
    """The folder of clips."""

    suffixes = (CLIP_SUFFIX,)

    def __init__(self, folder: Path, seals: Seals) -> None:
        super().__init__(folder, seals, ClipStore())

    def save(
        self, camera: str, taken: FinishedClip, *, before_s: float, after_s: float, label: str | None
    ) -> ClipFacts:
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
                content = checksum.of(memory_chunks(taken.fd, facts.length))
                self._put(path, sealed_chunks(content, about_clip(path.name), self._seals))
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
                self._put(path.with_suffix(FACTS_SUFFIX), [sealed])
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise MethodRefusedError(503, f"the clip cannot be written to {self.folder} ({reason})") from error
        finally:
            os.close(taken.fd)
        log.info("clip_recorded", camera=camera, file=done.file, bytes=done.bytes, seconds=done.seconds)
        return done

    def _tell_removed(self, name: str, reason: str) -> None:
        log.info("clip_removed", file=f"{name}{CLIP_SUFFIX}", reason=reason)

    def _free(self, name: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path, number = self.folder / f"{name}{CLIP_SUFFIX}", 1
        while path.exists():
            number += 1
            path = self.folder / f"{name}-{number}{CLIP_SUFFIX}"
        return path


def memory_chunks(memory_fd: int, length: int) -> Iterator[bytes]:
    """``length`` bytes of a clip in a decoder's memory, in the sizes that are sealed. Raises: OSError."""
    at = 0
    while at < length:
        chunk = os.pread(memory_fd, min(RECORD_BYTES, length - at), at)
        if not chunk:
            raise OSError(None, "the decoder took its memory back")
        yield chunk
        at += len(chunk)
