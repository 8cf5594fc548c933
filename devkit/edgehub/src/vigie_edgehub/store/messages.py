"""Accepted messages on disk, in log segments; recent ones also in memory (ADR-0004)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from vigie.log import get_logger
from vigie_edgehub.message import Message, Target
from vigie_edgehub.store.records import MAGIC, Put, decode_put, encode_put, encode_settled, scan

log = get_logger("hub")


class StoredMessage:
    """Where a message lies and who still needs it."""

    __slots__ = ("length", "offset", "segment", "size", "targets")

    def __init__(self, segment: int, offset: int, length: int, size: int, targets: list[Target]) -> None:
        self.segment = segment
        self.offset = offset
        self.length = length
        self.size = size
        self.targets = targets


class MessageStore:
    """Append, settle, read back. One thread.

    ``put`` and ``settle`` only buffer; after ``flush`` what was buffered is in the operating system's
    hands and survives a kill of this process. A power cut may take the last seconds (no fsync: the
    modules' own ledgers, not the hub, are what must not lose); the checksum then ends the log cleanly.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = 16 << 20, cache_bytes: int = 32 << 20) -> None:
        """Args: segment_bytes: size at which a new file begins. cache_bytes: bodies kept in memory."""
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._cache_bytes = cache_bytes
        self._entries: dict[int, StoredMessage] = {}
        self._live: dict[int, int] = {}  # segment -> messages that somebody still needs
        self._sizes: dict[int, int] = {}  # segment -> bytes written
        self._live_bytes = 0
        self._cache: dict[int, Message] = {}
        self._cached_bytes = 0
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._file = -1
        self._segment = 0
        self._readers: dict[int, int] = {}
        self.next_seq = 1
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def disk_bytes(self) -> int:
        return sum(self._sizes.values())

    @property
    def dirty(self) -> bool:
        return bool(self._buffer)

    def recover(self) -> list[tuple[int, int, list[Target]]]:
        """Read every segment; (seq, size, targets) of what is still needed, in the order of acceptance.

        A torn tail is cut off; an unreadable segment is set aside as ``*.damaged`` and said.
        """
        for number in sorted(self._numbers()):
            self._recover_segment(number)
            self._segment = number
        self._roll()
        self._drop_dead()
        return [(seq, entry.size, list(entry.targets)) for seq, entry in sorted(self._entries.items())]

    def put(self, seq: int, size: int, message: Message, targets: list[Target]) -> None:
        """Args: size: as `message_bytes` counts."""
        if self._sizes[self._segment] + self._buffered_bytes >= self._segment_bytes and self.flush():
            self._begin_segment()
        framed = encode_put(Put(seq, size, targets, message))
        entry = StoredMessage(
            self._segment, self._sizes[self._segment] + self._buffered_bytes, len(framed), size, list(targets)
        )
        self._entries[seq] = entry
        self._live[self._segment] += 1
        self._live_bytes += entry.length
        self._write(framed)
        self._remember(seq, message)

    def settle(self, seq: int, endpoint: str) -> None:
        entry = self._entries.get(seq)
        if entry is None:
            return
        entry.targets = [target for target in entry.targets if target.endpoint != endpoint]
        self._write(encode_settled(seq, endpoint))
        if not entry.targets:
            self._forget(seq, entry)

    def message(self, seq: int) -> Message:
        """From memory, or from disk. Raises: KeyError: settled; OSError, ValueError: the disk lost it."""
        cached = self._cache.get(seq)
        if cached is not None:
            return cached
        entry = self._entries[seq]
        if self._buffer and entry.segment == self._segment and not self.flush():
            raise OSError("the log cannot be written, so it cannot be read back")
        return decode_put(os.pread(self._reader(entry.segment), entry.length, entry.offset)).message

    def flush(self) -> bool:
        """Hand the buffer to the operating system. False: it took nothing (disk full); try again later."""
        if not self._buffer:
            return True
        size = self._sizes[self._segment]
        pending = memoryview(b"".join(self._buffer))
        written = 0
        try:
            while written < len(pending):
                written += os.pwrite(self._file, pending[written:], size + written)
        except OSError as error:
            log.error("store_write_failed", folder=str(self._folder), reason=str(error), bytes=len(pending))  # noqa: TRY400 - the reason says it all
            return False
        self._sizes[self._segment] = size + written
        self._buffer.clear()
        self._buffered_bytes = 0
        return True

    def close(self) -> None:
        self.flush()
        for descriptor in (*self._readers.values(), self._file):
            if descriptor >= 0:
                os.close(descriptor)
        self._readers.clear()
        self._file = -1

    # --- memory ---

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

    def _forget(self, seq: int, entry: StoredMessage) -> None:
        del self._entries[seq]
        self._uncache(seq)
        self._live[entry.segment] -= 1
        self._live_bytes -= entry.length
        if not self._live[entry.segment] and entry.segment != self._segment:
            self._drop_dead()

    # --- segments ---

    def _write(self, framed: bytes) -> None:
        self._buffer.append(framed)
        self._buffered_bytes += len(framed)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.log"

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob("*.log") if path.stem.isdigit()]

    def _begin_segment(self) -> None:
        try:
            self._roll()
        except OSError as error:  # a full disk: the present file grows on, if it can
            log.error("store_segment_not_begun", reason=str(error))  # noqa: TRY400 - the reason says it all
            return
        self._compact()

    def _roll(self) -> None:
        number = self._segment + 1
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC
        fresh = os.open(self._path(number), flags, 0o600)
        try:
            os.pwrite(fresh, MAGIC, 0)
        except OSError:
            os.close(fresh)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file = fresh
        self._segment = number
        self._sizes[number] = len(MAGIC)
        self._live[number] = 0

    def _drop_dead(self) -> None:
        """Delete from the oldest on only: a newer segment holds what was settled of older ones."""
        for oldest in sorted(self._sizes):
            if oldest == self._segment or self._live[oldest]:
                return
            reader = self._readers.pop(oldest, None)
            if reader is not None:
                os.close(reader)
            with contextlib.suppress(OSError):  # it is empty of meaning; the next start tries again
                self._path(oldest).unlink(missing_ok=True)
            del self._sizes[oldest], self._live[oldest]

    def _compact(self) -> None:
        """Copy what little still lives in the oldest segment to the newest, so that the oldest can go."""
        while len(self._sizes) > 2 and self.disk_bytes > 2 * self._live_bytes + 2 * self._segment_bytes:
            oldest = min(self._sizes)
            for seq, entry in [pair for pair in self._entries.items() if pair[1].segment == oldest]:
                self._move(seq, entry)
            if not self.flush() or self._live[oldest]:
                return
            self._drop_dead()

    def _move(self, seq: int, entry: StoredMessage) -> None:
        try:
            message = self.message(seq)
        except (OSError, ValueError) as error:
            log.error("store_message_unreadable", seq=seq, reason=str(error))  # noqa: TRY400 - the reason says it all
            return
        framed = encode_put(Put(seq, entry.size, entry.targets, message))
        self._live[entry.segment] -= 1
        self._live[self._segment] += 1
        self._live_bytes += len(framed) - entry.length
        entry.offset = self._sizes[self._segment] + self._buffered_bytes
        entry.segment, entry.length = self._segment, len(framed)
        self._write(framed)

    def _reader(self, number: int) -> int:
        reader = self._readers.get(number)
        if reader is None:
            reader = self._readers[number] = os.open(self._path(number), os.O_RDONLY | os.O_CLOEXEC)
        return reader

    # --- recovery ---

    def _recover_segment(self, number: int) -> None:
        path = self._path(number)
        content = path.read_bytes()
        good = min(len(MAGIC), len(content))
        self._live[number] = 0
        try:
            for found in scan(content):
                good = found.offset + found.length
                if isinstance(found.record, Put):
                    self._recover_put(number, found.offset, found.length, found.record)
                else:
                    self._recover_settled(found.record.seq, found.record.endpoint)
                self.next_seq = max(self.next_seq, found.record.seq + 1)
        except ValueError as error:
            log.error("store_segment_unreadable", file=str(path), reason=str(error))  # noqa: TRY400 - the reason says it all
            path.rename(path.with_suffix(".damaged"))
            del self._live[number]
            return
        if good < len(content):
            log.warning("store_tail_truncated", file=str(path), bytes=len(content) - good)
            os.truncate(path, good)
        self._sizes[number] = good

    def _recover_put(self, number: int, offset: int, length: int, put: Put) -> None:
        moved = self._entries.get(put.seq)
        if moved is not None:
            self._live[moved.segment] -= 1
            self._live_bytes -= moved.length
        self._entries[put.seq] = StoredMessage(number, offset, length, put.size, list(put.targets))
        self._live[number] += 1
        self._live_bytes += length

    def _recover_settled(self, seq: int, endpoint: str) -> None:
        entry = self._entries.get(seq)
        if entry is None:
            return
        entry.targets = [target for target in entry.targets if target.endpoint != endpoint]
        if not entry.targets:
            del self._entries[seq]
            self._live[entry.segment] -= 1
            self._live_bytes -= entry.length
