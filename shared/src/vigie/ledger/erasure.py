"""Erasing what waits: of a camera, of a span of time, or of both; gone from the disk, and not only from the tables.

Rows leave the middle of a queue, whose numbers must stay contiguous: older ones move up, in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec

from vigie.contracts.lanes import camera_of
from vigie.ledger.batch import Batch
from vigie.ledger.ledger_file import LedgerFile
from vigie.ledger.priorities import Priority
from vigie.ledger.queues import LedgerQueues
from vigie.ledger.rows import ITEMS, item_of, row_of

_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Erasure:
    """What goes: items of ``camera`` about a moment from ``since`` up to ``until``; None: any, without a bound."""

    camera: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def timed(self) -> bool:
        return self.since is not None or self.until is not None

    def covers(self, camera: str, body: bytes) -> bool | None:
        """None: by its camera, perhaps; ``body`` does not say when it was."""
        if self.camera is not None and camera_of(camera) != self.camera:
            return False
        if not self.timed:
            return True
        try:
            began, ended = _times(body)
        except (msgspec.MsgspecError, ValueError):
            return None
        return (self.until is None or began <= self.until) and (self.since is None or ended >= self.since)


@dataclass(slots=True)
class Erased:
    """``items``: by camera. ``undated``: kept, because they do not say when they were.

    ``on_their_way``: of what should go, those in the message that is being sent; the cloud may have them already.
    """

    items: Counter[str] = field(default_factory=Counter)
    undated: int = 0
    on_their_way: int = 0


class _When(msgspec.Struct):
    """The times of an item: a frame's, or those of an event."""

    captured_at: str | None = None
    at: str | None = None
    started_at: str | None = None


class _Item(_When):
    camera: str = ""


class _Items(msgspec.Struct):
    items: list[msgspec.Raw]


_times_of = msgspec.json.Decoder(_When)
_item_of = msgspec.json.Decoder(_Item)
_items_of = msgspec.json.Decoder(_Items)


def erase(file: LedgerFile, queues: LedgerQueues, what: Erasure, on_its_way: Batch | None) -> Erased:
    """Raises: sqlite3.Error, LedgerDamagedError: nothing was erased."""
    erased = Erased()
    if on_its_way is not None:
        erased.on_their_way = sum(_covers(what, raw) for raw in _items_of.decode(on_its_way.json).items)
    db = file.db

    def work() -> None:
        erased.items.clear()
        erased.undated = 0
        for priority in Priority:
            _erase_queue(db, queues, priority, what, erased)

    # Overwritten with zeros instead of being left in free pages; and the log that holds the pages of before goes too.
    db.execute("PRAGMA secure_delete=ON").fetchone()
    try:
        file.free(work, full=True)
    finally:
        db.execute("PRAGMA secure_delete=OFF").fetchone()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return erased


def _erase_queue(
    db: sqlite3.Connection, queues: LedgerQueues, priority: Priority, what: Erasure, erased: Erased
) -> None:
    span = queues.span(priority)
    if span is None:
        return
    low, free = span
    number = free
    while number >= low:
        rows = db.execute(
            f"{ITEMS} WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?", (low, number, _AT_ONCE)
        ).fetchall()
        if not rows:
            break
        for row in rows:
            _, entry = item_of(row)
            covered = what.covers(entry.camera, queues.opened(row)[1].body)
            if covered:
                db.execute("DELETE FROM items WHERE id = ?", (row[0],))
                erased.items[entry.camera] += 1
                queues.weigh(priority, -entry.size)
                continue
            erased.undated += covered is None
            if row[0] != free:
                db.execute("DELETE FROM items WHERE id = ?", (row[0],))
                db.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)", row_of(free, entry, row[5]))
            free -= 1
        number = rows[-1][0] - 1


def _covers(what: Erasure, raw: msgspec.Raw) -> bool:
    try:
        camera = _item_of.decode(raw).camera
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return bool(what.covers(camera, bytes(raw)))


def _times(body: bytes) -> tuple[datetime, datetime]:
    """From when to when. Raises: msgspec.MsgspecError, ValueError: it does not say."""
    when = _times_of.decode(body)
    ended = when.captured_at or when.at
    if ended is None:
        raise ValueError("no time")
    return _moment(when.started_at or ended), _moment(ended)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
