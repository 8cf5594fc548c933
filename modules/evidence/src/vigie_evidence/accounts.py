"""What was sent today, by target, kept over restarts; and the clock by which what waits grows old."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from vigie.config.atomic import write_atomically
from vigie.ledger.age_clock import AgeClock, Stamp
from vigie.ledger.spent import Spent
from vigie.log import OncePer, get_logger

log = get_logger("evidence.accounts")

_SAVE_S = 30.0


class _Saved(msgspec.Struct):
    age_ms: int = 0
    wall_ms: int = 0
    spent: dict[str, Spent] = {}


class Accounts:
    """Thread-safe. A file that cannot be read begins anew: what waits is then younger than it is, never older."""

    def __init__(
        self,
        path: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._monotonic = path, monotonic
        self._lock = threading.Lock()
        self._quiet = OncePer()
        try:
            saved = msgspec.json.decode(path.read_bytes(), type=_Saved)
        except (OSError, ValueError, msgspec.MsgspecError):
            saved = _Saved()
        self._spent = saved.spent
        self._clock = AgeClock(Stamp(saved.age_ms, saved.wall_ms), monotonic=monotonic, wall=wall)
        self._saved_s = monotonic()

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def doubt(self) -> str | None:
        """Why hours and days cannot be told; None: the clock can be right."""
        return self._clock.doubt()

    def spent(self, target: str, day: str) -> Spent:
        with self._lock:
            return self._spent.get(target, Spent()).on(day)

    def sent(self, target: str, day: str, size: int) -> None:
        """Counted before it goes: the target may have it whatever comes back."""
        with self._lock:
            self._spent[target] = self._spent.get(target, Spent()).plus(day, size, 0)
        self.save()

    def save(self, *, at_once: bool = False) -> None:
        """Now and then: a kill forgets what was sent in the last half minute."""
        if not at_once and self._monotonic() - self._saved_s < _SAVE_S:
            return
        self._saved_s = self._monotonic()
        stamp = self._clock.stamp()
        with self._lock:
            saved = _Saved(stamp.age_ms, stamp.wall_ms, dict(self._spent))
        try:
            write_atomically(self._path, msgspec.json.encode(saved))
        except OSError as error:
            if self._quiet.ready("save") is not None:
                log.warning("accounts_not_saved", file=str(self._path), reason=str(error))
