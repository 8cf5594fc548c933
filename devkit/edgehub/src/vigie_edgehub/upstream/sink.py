"""The writing end of the record: durable appends, duplicates skipped, bounded by size and age."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec

from vigie_edgehub.errors import HubStartError
from vigie_edgehub.message import Message
from vigie_edgehub.upstream.age import AgeGuard, ClockMark, boot_name, steady_seconds
from vigie_edgehub.upstream.record import endpoint_properties
from vigie_edgehub.upstream.schema import FILE_NAME, open_for_writing

_ROW_OVERHEAD_BYTES = 120  # key, numbers and index entries of a row: the bound should follow the file, not only bodies
_TRIM_STEP = 256  # rows looked at per query while trimming


class UpstreamSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of the record. The file is a little larger than ``max_bytes``: pages are filled to about 90 %."""

    max_bytes: Annotated[int, msgspec.Meta(ge=1 << 20)] = 1 << 30
    max_age_s: Annotated[float, msgspec.Meta(gt=0)] = 7 * 86_400.0
    power_safe: bool = False  # sync the disk at each append: slower, and proof against loss of power


def open_sink(folder: Path, settings: Mapping[str, Any]) -> SqliteSink:
    """Open the record in ``folder`` (of a hub: ``<state>/upstream``).

    Args: settings: fields of `UpstreamSettings`.
    Raises: HubStartError: bad settings, or a file that cannot be written.
    """
    try:
        checked = msgspec.convert(dict(settings), UpstreamSettings, strict=False)  # also as text of a command line
    except msgspec.ValidationError as error:
        raise HubStartError(f"settings of the upstream record: {error}") from error
    return SqliteSink(folder / FILE_NAME, checked)


class SqliteSink:
    """Where messages for `$upstream` end up. `append` and `close` belong to one thread, so that a slow disk never holds
    the hub's loop up; the attributes may be read from any.

    ``last_sequence`` and ``counters`` change only after the commit they speak of.
    """

    def __init__(
        self,
        file: Path,
        settings: UpstreamSettings,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady_seconds,
        boot: str | None = None,
    ) -> None:
        """``clock``: seconds since 1970, as the machine has it; ``steady``: seconds that never jump, since ``boot``."""
        self.file = file
        self.settings = settings
        self._clock = clock
        self._steady = steady
        self._db = open_for_writing(file, power_safe=settings.power_safe)
        row = self._db.execute("SELECT boot, believed_s, last_s, jumped_at_s FROM clock").fetchone()
        self._kept = ClockMark(*row) if row else None
        self._age = AgeGuard(settings.max_age_s, clock(), steady(), boot_name() if boot is None else boot, self._kept)
        self.counters: dict[str, int] = dict(self._db.execute("SELECT name, value FROM counters"))
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
        self.last_sequence = int(row[0]) if row else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, messages: Sequence[Message]) -> None:
        """Record ``messages`` in their order, all or none; a known key is skipped and counted.

        Raises: sqlite3.Error: nothing was recorded (disk full, ...); the same call may be made again.
        """
        if not messages:
            return
        now = self._clock()
        counters = dict(self.counters)
        last = self.last_sequence
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for message in messages:
                last = self._insert(message, now, counters) or last
            self._trim(now, counters, by_age=self._age.trusts(now, self._steady()))
            kept = self._kept
            if (mark := self._age.mark).differs(kept):
                values = (mark.boot, mark.believed_s, mark.last_s, mark.jumped_at_s)
                self._db.execute("INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?, ?)", values)
                kept = mark
            self._db.executemany("UPDATE counters SET value = ? WHERE name = ?", [(v, k) for k, v in counters.items()])
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self.counters = counters
        self.last_sequence = last
        self._kept = kept

    def close(self) -> None:
        self._db.close()

    def _insert(self, message: Message, now: float, counters: dict[str, int]) -> int | None:
        properties = msgspec.json.encode(message.application)
        system = msgspec.json.encode(endpoint_properties(message))
        size = len(message.body) + len(properties) + len(system) + _ROW_OVERHEAD_BYTES
        cursor = self._db.execute(
            "INSERT INTO messages (key, enqueued_at, stored_at, size, module, output, system_properties, properties,"
            " body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (message.key, now, message.stored_at, size, message.source_module, message.output, system, properties,
             message.body),
        )  # fmt: skip
        if cursor.rowcount == 0:
            counters["duplicates"] += 1
            return None
        counters["messages"] += 1
        counters["bytes"] += size
        return cursor.lastrowid

    def _trim(self, now: float, counters: dict[str, int], *, by_age: bool) -> None:
        """Delete oldest first until both bounds hold. The newest message always stays."""
        oldest_kept = now - self.settings.max_age_s
        while True:
            rows = self._db.execute(
                "SELECT sequence, enqueued_at, size FROM messages ORDER BY sequence LIMIT ?", (_TRIM_STEP,)
            ).fetchall()
            doomed = 0
            for sequence, enqueued_at, size in rows:
                too_old = by_age and enqueued_at < oldest_kept
                if counters["messages"] <= 1 or not (too_old or counters["bytes"] > self.settings.max_bytes):
                    break
                counters["trimmed_by_age" if too_old else "trimmed_by_size"] += 1
                counters["messages"] -= 1
                counters["bytes"] -= size
                doomed = sequence
            if not doomed:
                return
            self._db.execute("DELETE FROM messages WHERE sequence <= ?", (doomed,))
