"""Which candidates are not to be trusted now, and when they are tried again. Survives the process.

A failure opens a candidate's breaker for a while that doubles with each further one. Before something dangerous is done
with a candidate (measured, loaded, first seconds of service) that is written down; if the next start still finds the
note, the module ended meanwhile and the candidate is held to be the cause.
"""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from vigie.config.atomic import write_atomically
from vigie.log import get_logger

log = get_logger(__name__)

SCHEMA = "vigie.runtime-breaker/1"
FILE = "runtime-breaker.json"
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 6 * 3600.0
# Bundles that are remembered for having hung.
HUNG_MAX = 16
# Without a failure for this long in service a candidate's past is forgotten.
FORGIVEN_AFTER_S = 3600.0


class Trouble(msgspec.Struct, frozen=True):
    """``failures`` in a row; closed again at ``retry_at_s`` (seconds since the epoch: it must outlive a reboot).

    ``kind``: the last error's slug.
    """

    failures: int
    reason: str
    retry_at_s: float
    kind: str = ""


class _File(msgspec.Struct, frozen=True):
    schema: str
    troubles: dict[str, Trouble]
    trying: str = ""
    hung: tuple[str, ...] = ()


def pause_s(failures: int) -> float:
    """30 s, 60 s, 2 min, ... 6 h."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(20, max(0, failures - 1)))


class Breaker:
    """State of all candidates of this module; every change is on disk before the call returns. From any thread."""

    def __init__(self, folder: Path, now_s: float) -> None:
        """Reads what a former process left; ``now_s`` since the epoch."""
        self.path = folder / FILE
        # Held while it is written too: an older state must not replace a newer one on the disk.
        self._lock = threading.RLock()
        file = self._load()
        self._troubles = dict(file.troubles)
        self._hung = file.hung
        self._trying = ""
        if file.trying:
            self.failed(file.trying, "the module ended while this was tried", now_s)
        # A clock that was set back would keep a breaker open for years.
        self._troubles = {
            key: msgspec.structs.replace(one, retry_at_s=min(one.retry_at_s, now_s + LONGEST_PAUSE_S))
            for key, one in self._troubles.items()
        }

    def trying(self, key: str) -> None:
        """Something dangerous begins with this candidate."""
        with self._lock:
            self._trying = key
            self._save()

    def settled(self) -> None:
        """It went well, or ended in an orderly way."""
        with self._lock:
            if self._trying:
                self._trying = ""
                self._save()

    def failed(self, key: str, reason: str, now_s: float, kind: str = "") -> Trouble:
        """Open, for longer than the last time."""
        with self._lock:
            before = self._troubles.get(key)
            failures = 1 if before is None else before.failures + 1
            trouble = Trouble(failures, reason[:400], now_s + pause_s(failures), kind)
            self._troubles[key] = trouble
            if self._trying == key:
                self._trying = ""
            self._save()
            return trouble

    def hung(self, bundle: str) -> None:
        """``bundle`` (its digest) did not end in this process: from the next start on it runs in one of its own."""
        with self._lock:
            self._hung = (*(one for one in self._hung if one != bundle), bundle)[-HUNG_MAX:]
            self._save()

    def has_hung(self, bundle: str) -> bool:
        """Whether it ever did."""
        with self._lock:
            return bundle in self._hung

    def forgive(self, key: str) -> None:
        """It has served long enough."""
        with self._lock:
            if self._troubles.pop(key, None) is not None:
                self._save()

    def is_open(self, key: str, now_s: float) -> bool:
        with self._lock:
            trouble = self._troubles.get(key)
        return trouble is not None and now_s < trouble.retry_at_s

    def troubles(self) -> dict[str, Trouble]:
        with self._lock:
            return dict(self._troubles)

    def _load(self) -> _File:
        try:
            file = msgspec.json.decode(self.path.read_bytes(), type=_File)
            if file.schema == SCHEMA:
                return file
            log.warning("runtime_breaker_ignored", path=str(self.path), reason=f"schema {file.schema!r}")
        except FileNotFoundError:
            pass
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("runtime_breaker_ignored", path=str(self.path), reason=str(error)[:200])
        return _File(SCHEMA, {})

    def _save(self) -> None:
        try:
            write_atomically(self.path, msgspec.json.encode(_File(SCHEMA, self._troubles, self._trying, self._hung)))
        except OSError as error:
            log.warning("runtime_breaker_not_saved", path=str(self.path), reason=str(error))
