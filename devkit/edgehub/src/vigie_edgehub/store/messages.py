"""Accepted messages on disk, a row each in SQLite; recent ones also in memory (ADR-0067)."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from zlib import crc32

import msgspec

from vigie.log import get_logger
from vigie_edgehub.message import CopyTarget, Message

FILE_NAME = "messages.sqlite"
_SHRINK_BYTES = 16 << 20
_TABLE = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER, targets BLOB, checksum INTEGER, message BLOB
)"""
_UNREADABLE = (sqlite3.Error, msgspec.MsgspecError, ValueError, TypeError)  # what damaged bytes come out as
_OF_THE_DISK = frozenset({
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
})  # fmt: skip
_encode = msgspec.msgpack.Encoder().encode
_decode_message = msgspec.msgpack.Decoder(Message).decode
_decode_targets = msgspec.msgpack.Decoder(list[CopyTarget]).decode

log = get_logger("hub")


class MessageStore:
    """Append, settle, read back. One thread.

    ``put`` and ``settle`` only buffer; after ``flush`` what was buffered is in the operating system's hands and
    survives a kill of this process. A power cut may take the last seconds, never the file: the disk is waited for at
    checkpoints only (the modules' own ledgers, not the hub, are what must not lose).
    """

    def __init__(self, folder: Path, *, cache_bytes: int = 32 << 20) -> None:
        """Args: cache_bytes: bodies kept in memory. Raises: OSError: the file cannot be opened or made."""
        self._file = folder / FILE_NAME
        self._cache_bytes = cache_bytes
        self._targets: dict[int, list[CopyTarget]] = {}
        self._cache: dict[int, Message] = {}
        self._cached_bytes = 0
        self._puts: list[tuple[int, int, bytes, int, bytes]] = []
        self._fewer: list[tuple[bytes, int]] = []  # targets left, seq
        self._gone: list[tuple[int]] = []
        self._grown_bytes = 0  # written since the file was last cut to what it holds
        self.next_seq = 1
        folder.mkdir(parents=True, exist_ok=True)
        self._db = _opened(self._file)
        if former := sorted(folder.glob("*.log")):
            log.warning(
                "former_store_ignored", files=[str(path) for path in former], reason="kept by an earlier version"
            )

    @property
    def disk_bytes(self) -> int:
        files = (self._file, self._file.with_name(f"{FILE_NAME}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    @property
    def dirty(self) -> bool:
        return bool(self._puts or self._fewer or self._gone)

    def recover(self) -> list[tuple[int, int, list[CopyTarget]]]:
        """(seq, size, targets) of what is still needed, in the order of acceptance.

        A damaged file is set aside as ``*.damaged`` and logged; what can still be read of it goes into a new one.
        Raises: OSError: the file cannot be read, or no new one can be written.
        """
        try:
            found = list(self._db.execute("SELECT seq, size, targets FROM messages ORDER BY seq"))
            last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
            waiting = [(seq, size, _decode_targets(targets)) for seq, size, targets in found]
        except _UNREADABLE as error:
            if _is_of_the_disk(error):
                raise OSError(f"{self._file}: {error}; free the disk or fix its permissions") from error
            waiting, last = self._salvage(error)
        self._targets = {seq: list(targets) for seq, _, targets in waiting}
        self.next_seq = max([last[0] if last else 0, *self._targets]) + 1
        return waiting

    def put(self, seq: int, size: int, message: Message, targets: list[CopyTarget]) -> None:
        """Args: size: as `message_bytes` counts."""
        encoded = _encode(message)
        self._targets[seq] = list(targets)
        self._puts.append((seq, size, _encode(targets), crc32(encoded), encoded))
        self._remember(seq, message)

    def settle(self, seq: int, endpoint: str) -> None:
        targets = self._targets.get(seq)
        if targets is None:
            return
        left = [target for target in targets if target.endpoint != endpoint]
        if left:
            self._targets[seq] = left
            self._fewer.append((_encode(left), seq))
        else:
            del self._targets[seq]
            self._uncache(seq)
            self._gone.append((seq,))

    def message(self, seq: int) -> Message:
        """From memory, or from disk. Raises: KeyError: settled; OSError, ValueError: the disk lost it."""
        cached = self._cache.get(seq)
        if cached is not None:
            return cached
        if seq not in self._targets:
            raise KeyError(seq)
        for waiting, _, _, _, encoded in self._puts:
            if waiting == seq:
                return _decode_message(encoded)
        try:
            row = self._db.execute("SELECT checksum, message FROM messages WHERE seq = ?", (seq,)).fetchone()
        except sqlite3.Error as error:
            raise OSError(f"{self._file}: {error}") from error
        if row is None or not isinstance(row[1], bytes) or crc32(row[1]) != row[0]:
            raise ValueError("the message does not match its checksum")
        return _decode_message(row[1])

    def flush(self) -> bool:
        """Hand the buffer to the operating system. False: it took nothing (disk full); try again later."""
        if not self.dirty:
            return True
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", self._puts)
            self._db.executemany("UPDATE messages SET targets = ? WHERE seq = ?", self._fewer)
            self._db.executemany("DELETE FROM messages WHERE seq = ?", self._gone)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            size = sum(len(put[-1]) for put in self._puts)
            log.error("store_write_failed", file=str(self._file), reason=str(error), bytes=size)  # noqa: TRY400 - the reason says it all
            return False
        self._grown_bytes += sum(len(put[-1]) for put in self._puts)
        for buffered in (self._puts, self._fewer, self._gone):
            buffered.clear()
        if not self._targets and self._grown_bytes > _SHRINK_BYTES:
            self._shrink()
        return True

    def close(self) -> None:
        self.flush()
        self._db.close()

    def _remember(self, seq: int, message: Message) -> None:
        self._cache[seq] = message
        self._cached_bytes += len(message.body)
        while self._cached_bytes > self._cache_bytes and len(self._cache) > 1:
            # The oldest first: what waits long will wait on; it is read back from disk when it goes.
            self._uncache(next(iter(self._cache)))

    def _uncache(self, seq: int) -> None:
        message = self._cache.pop(seq, None)
        if message is not None:
            self._cached_bytes -= len(message.body)

    def _shrink(self) -> None:
        """Give the disk back what a backlog took."""
        self._grown_bytes = 0
        try:
            self._db.executescript("PRAGMA incremental_vacuum")  # execute() would free one page
        except sqlite3.Error as error:  # the room is used again anyhow
            log.warning("store_not_shrunk", file=str(self._file), reason=str(error))

    def _salvage(self, error: Exception) -> tuple[list[tuple[int, int, list[CopyTarget]]], tuple[int] | None]:
        """Keep every row that still reads, up to where the file breaks off."""
        rows: list[tuple[int, int, bytes, int, bytes]] = []
        try:
            for row in self._db.execute("SELECT * FROM messages ORDER BY seq"):
                _decode_targets(row[2])
                rows.append(row)
        except _UNREADABLE:
            pass
        self._db.close()
        _set_aside(self._file, error)
        self._db = _opened(self._file)
        try:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as full:
            raise OSError(f"{self._file}: {full}") from full
        log.warning("store_salvaged", file=str(self._file), messages=len(rows))
        waiting = [(seq, size, _decode_targets(targets)) for seq, size, targets, _, _ in rows]
        return waiting, (rows[-1][0],) if rows else None


def _is_of_the_disk(error: Exception) -> bool:
    """Nothing is wrong with the file itself, so it is not set aside."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_THE_DISK


def _opened(file: Path) -> sqlite3.Connection:
    """Raises: OSError."""
    try:
        try:
            return _prepared(file)
        except _UNREADABLE as error:
            if _is_of_the_disk(error):
                raise
            _set_aside(file, error)
            return _prepared(file)
    except sqlite3.Error as error:
        raise OSError(f"{file}: {error}; free the disk or fix its permissions") from error


def _prepared(file: Path) -> sqlite3.Connection:
    db = sqlite3.connect(file, isolation_level=None)
    try:
        db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        db.execute("PRAGMA locking_mode=EXCLUSIVE")  # one process: no shared memory beside the file
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA journal_size_limit=16777216")
        db.execute(_TABLE)
    except BaseException:
        db.close()
        raise
    return db


def _set_aside(file: Path, error: Exception) -> None:
    log.error("store_unreadable", file=str(file), reason=str(error))
    for path in (file, file.with_name(f"{FILE_NAME}-wal")):
        if path.exists():
            path.replace(path.with_name(f"{path.name}.damaged"))
