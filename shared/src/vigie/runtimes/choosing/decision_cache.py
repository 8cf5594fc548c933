"""Raw measurements on disk, by fingerprint: a start on known ground measures nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vigie.config.atomic import write_atomically
from vigie.log import get_logger
from vigie.runtimes.measuring.measurement import Measured

log = get_logger(__name__)

SCHEMA = "vigie.runtime-measurements/1"
FILE = "runtime-measurements.json"
# A few models on a few states of one machine; the oldest go first.
ENTRIES_MAX = 8
_FILE_BYTES_MAX = 16 << 20


class CachedDecision(msgspec.Struct, frozen=True):
    """``measured_at``: UTC, ISO 8601. Not ``complete``: the measuring ended early, the next start goes on from it."""

    fingerprint: str
    model: str
    measured_at: str
    measured: tuple[Measured, ...]
    complete: bool = True


class _File(msgspec.Struct, frozen=True):
    schema: str
    entries: tuple[CachedDecision, ...]


class DecisionCache:
    """One file, replaced atomically. What cannot be read, or is of another schema, is as good as nothing."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made on the first save."""
        self.path = folder / FILE

    def load(self, fingerprint: str) -> CachedDecision | None:
        return next((entry for entry in self._entries() if entry.fingerprint == fingerprint), None)

    def save(self, entry: CachedDecision) -> None:
        """A disk that cannot be written is logged: the next start measures again, nothing else is lost."""
        others = [one for one in self._entries() if one.fingerprint != entry.fingerprint]
        file = _File(SCHEMA, (*others[-(ENTRIES_MAX - 1) :], entry))
        try:
            write_atomically(self.path, msgspec.json.encode(file))
        except OSError as error:
            log.warning("runtime_measurements_not_saved", path=str(self.path), reason=str(error))

    def forget(self, fingerprint: str) -> None:
        """So that the next look measures again."""
        kept = tuple(entry for entry in self._entries() if entry.fingerprint != fingerprint)
        try:
            write_atomically(self.path, msgspec.json.encode(_File(SCHEMA, kept)))
        except OSError as error:
            log.warning("runtime_measurements_not_saved", path=str(self.path), reason=str(error))

    def _entries(self) -> tuple[CachedDecision, ...]:
        try:
            if self.path.stat().st_size > _FILE_BYTES_MAX:
                raise msgspec.ValidationError(f"larger than {_FILE_BYTES_MAX} bytes")
            file = msgspec.json.decode(self.path.read_bytes(), type=_File)
            if file.schema != SCHEMA:
                raise msgspec.ValidationError(f"schema {file.schema!r}")
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("runtime_measurements_ignored", path=str(self.path), reason=str(error)[:200])
            return ()
        return file.entries
