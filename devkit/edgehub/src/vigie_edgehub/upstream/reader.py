"""The reading end of the record: query, export and follow, from any process, during and after the hub's life."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import msgspec

from vigie_edgehub.upstream.record import UpstreamRecord, build_record
from vigie_edgehub.upstream.schema import open_for_reading

_PAGE = 64  # rows per query: short read transactions never keep the writer's log from being folded back
_DECODE_PROPERTIES = msgspec.json.Decoder(dict[str, str])


class UpstreamFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages. ``since`` and ``until`` are enqueued times, seconds since the epoch, since <= t < until."""

    module: str | None = None
    output: str | None = None
    since: float | None = None
    until: float | None = None

    def where(self) -> tuple[str, list[Any]]:
        """Return SQL that continues a WHERE clause, and its values."""
        parts: list[tuple[str, Any]] = [
            ("AND module = ?", self.module),
            ("AND output = ?", self.output),
            ("AND enqueued_at >= ?", self.since),
            ("AND enqueued_at < ?", self.until),
        ]
        given = [(sql, value) for sql, value in parts if value is not None]
        return " ".join(sql for sql, _ in given), [value for _, value in given]


_ALL = UpstreamFilter()
_COLUMNS = "sequence, enqueued_at, stored_at, module, output, body, properties, system_properties"


class UpstreamReader:
    """Reads one record. Used by one thread at a time.

    Raises: UpstreamUnreadableError: no such record, or none that this program reads.
    """

    def __init__(self, file: Path) -> None:
        self._db = open_for_reading(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def page(self, wanted: UpstreamFilter = _ALL, *, after: int = 0, limit: int = _PAGE) -> list[UpstreamRecord]:
        """Return up to ``limit`` messages with a sequence number above ``after``, oldest first."""
        clause, values = wanted.where()
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE sequence > ? {clause} ORDER BY sequence LIMIT ?",  # noqa: S608
            [after, *values, limit],  # the clause is built from constants above, values are bound
        ).fetchall()
        return [_record(row) for row in rows]

    def read(self, wanted: UpstreamFilter = _ALL, *, after: int = 0) -> Iterator[UpstreamRecord]:
        """Yield everything that is there now, oldest first, in flat memory."""
        end = self.last_sequence()
        while records := self.page(wanted, after=after):
            for record in records:
                if record.sequence_number > end:
                    return
                yield record
            after = records[-1].sequence_number

    def follow(self, wanted: UpstreamFilter = _ALL, *, after: int, poll_s: float = 0.1) -> Iterator[UpstreamRecord]:
        """Yield what is there above ``after`` and then what arrives, for ever."""
        while True:
            newest = self.last_sequence()
            for record in self.read(wanted, after=after):
                after = record.sequence_number
                yield record
            after = max(after, newest)  # filtered ones are not looked at again
            if self.last_sequence() == newest:
                time.sleep(poll_s)

    def start_of_last(self, count: int, wanted: UpstreamFilter = _ALL) -> int:
        """Return the ``after`` from which exactly the newest ``count`` matching messages follow."""
        if count <= 0:
            return self.last_sequence()
        clause, values = wanted.where()
        row = self._db.execute(
            f"SELECT MIN(sequence) FROM (SELECT sequence FROM messages WHERE 1 {clause}"  # noqa: S608
            " ORDER BY sequence DESC LIMIT ?)",  # as above: constants and bound values
            [*values, count],
        ).fetchone()
        return self.last_sequence() if row[0] is None else int(row[0]) - 1

    def last_sequence(self) -> int:
        """Return the newest sequence number ever given (0: none), trimmed or not."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
        return int(row[0]) if row else 0

    def counters(self) -> dict[str, int]:
        """Return messages and bytes held, trimmed_by_size, trimmed_by_age and duplicates skipped."""
        return dict(self._db.execute("SELECT name, value FROM counters"))


def _record(row: tuple[Any, ...]) -> UpstreamRecord:
    sequence, enqueued_at, stored_at, module, output, body, properties, system = row
    return build_record(
        sequence=sequence,
        enqueued_at=enqueued_at,
        stored_at=stored_at,
        module=module,
        output=output,
        body=body,
        properties=_DECODE_PROPERTIES.decode(properties),
        system_properties=_DECODE_PROPERTIES.decode(system),
    )
