"""The files of an audit log: appended, synchronised, rotated, bounded; opened again after whatever happened to them.

``audit-000001.jsonl``, ``audit-000002.jsonl``, ...: the newest is appended to. A line is on the disk (fdatasync) before
the head is moved to it. A log that cannot be written costs the module nothing but the log: it is counted and reported.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vigie.audit.chain import BEGIN, IN_THE_CLEAR, ChainLine, Head, read_line, write_line
from vigie.audit.record import AuditEntry
from vigie.audit.sealed import stored
from vigie.errors import SealedError
from vigie.log import OncePer, get_logger
from vigie.private_files import file_mode
from vigie.sealing import Seals

log = get_logger(__name__)

FILE_BYTES_MAX = 1 << 20
FILES_MAX = 8
_READ_BYTES_MAX = 64 << 20
HEAD_FILE = "head.json"
FOLDER = "audit"
"""Of a module's state."""
_NAME = re.compile(r"audit-(\d{6,9})\.jsonl")
# Never through a link, never waiting for who opens the other end of a pipe.
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Journal:
    """One module's audit log in ``folder``. Thread-safe; ``append`` blocks for a write to the disk."""

    def __init__(
        self,
        folder: Path,
        *,
        module: str,
        boot: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        file_bytes_max: int = FILE_BYTES_MAX,
        files_max: int = FILES_MAX,
        seals: Seals = IN_THE_CLEAR,
    ) -> None:
        """Nothing is opened yet. Several processes must not append to one folder."""
        self._seals = seals
        self._folder, self._module, self._boot, self._now = folder, module, boot, now
        self._file_bytes_max, self._files_max = file_bytes_max, files_max
        self._lock = threading.Lock()
        self._number = -1
        self._file = ""
        self._size = 0
        self._lost = 0
        self._quiet = OncePer(60.0)
        self.head = Head()

    @property
    def lost(self) -> int:
        """Entries that could not be written, and that no line tells of yet."""
        return self._lost

    @property
    def at_rest(self) -> str:
        """How lines lie on the disk: "in the clear", or the name of the key."""
        return self._seals.name or "in the clear"

    def check_key(self) -> None:
        """Raises: SealedError: the newest line needs a key that is not here, so nothing can follow on it."""
        try:
            for name in log_files(self._folder)[-1:]:
                _last_line(read_log_file(self._folder / name), self._seals)
        except OSError:
            return  # a disk's trouble: ``append`` tells of it

    def append(self, entry: AuditEntry) -> bool:
        """Write ``entry``; False if the disk did not take it."""
        with self._lock:
            try:
                self._ready()
                if self._lost:
                    self._write(AuditEntry(kind="lost", more=self._lost))
                    self._lost = 0
                self._write(entry)
                self._rotate()
            except (OSError, SealedError) as error:
                self.count_lost()
                self._close()
                if self._quiet.ready("audit") is not None:
                    log.warning("audit_not_written", folder=str(self._folder), reason=str(error), lost=self._lost)
                return False
        return True

    def count_lost(self) -> None:
        """An entry never got here; the next line tells."""
        self._lost += 1

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._number >= 0:
            with contextlib.suppress(OSError):
                os.close(self._number)
            self._number = -1

    def _ready(self) -> None:
        """Open the newest file where its last line ends. Raises: OSError."""
        if self._number >= 0:
            return
        self._folder.mkdir(mode=0o770, parents=True, exist_ok=True)  # less the mask
        names = log_files(self._folder)
        stored = read_head(self._folder)
        if self.head.n and (stored is None or stored.n < self.head.n):
            stored = self.head  # this process wrote it: somebody took the files while it ran
        self._open(names[-1] if names else _name(1))
        content = _all_of(self._number)
        end, found = _last_line(content, self._seals)
        if not content and len(names) > 1:
            # The power went between a new file and its first line.
            _, found = _last_line(read_log_file(self._folder / names[-2]), self._seals)
        self.head, trouble = _go_on(found, stored, empty=not names)
        if end < len(content):
            # Half a line: the power went, or somebody cut it. What is left of it is not one, so it goes.
            os.ftruncate(self._number, end)
            trouble = ", ".join(filter(None, (trouble, f"{len(content) - end} bytes of an unfinished line")))
        self._size = os.lseek(self._number, end, os.SEEK_SET)
        if trouble:
            log.warning("audit_recovered", folder=str(self._folder), found=trouble)
            self._write(AuditEntry(kind="recovered", error=trouble))

    def _open(self, name: str) -> None:
        number = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | _OPEN, file_mode())
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise OSError(f"{name} is not a plain file")
        self._number, self._file = number, name

    def _write(self, entry: AuditEntry) -> None:
        at = self._now().astimezone(UTC).isoformat(timespec="microseconds")
        line, head = write_line(entry, self.head, at=at, module=self._module, boot=self._boot)
        line = stored(line, head.n, self._seals)
        written = os.write(self._number, line)
        if written < len(line):
            os.ftruncate(self._number, self._size)
            raise OSError(f"the disk took {written} of {len(line)} bytes")
        os.fdatasync(self._number)
        self._size += len(line)
        self.head = head
        write_head(self._folder, head)

    def _rotate(self) -> None:
        if self._size < self._file_bytes_max:
            return
        names = log_files(self._folder)
        upcoming = _name(int(_NAME.fullmatch(self._file)[1]) + 1)  # type: ignore[index]  # a name of ours
        os.close(self._number)
        self._open(upcoming)
        self._size = 0
        for old in names[: max(0, len(names) + 1 - self._files_max)]:
            # First the line that says so, then the deed: a file that is gone without such a line was taken.
            last = _last_number(read_log_file(self._folder / old))
            self._write(AuditEntry(kind="removed", file=old, last=last))
            (self._folder / old).unlink()


def log_files(folder: Path) -> list[str]:
    """Names of the log's files, oldest first."""
    try:
        found = [entry.name for entry in os.scandir(folder) if _NAME.fullmatch(entry.name)]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda name: int(name[6:-6]))


def read_log_file(path: Path) -> bytes:
    """At most 64 MiB of it: whoever filled it with more did not write a log. Raises: OSError."""
    number = os.open(path, os.O_RDONLY | _OPEN)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path.name} is not a plain file")
        return file.read(_READ_BYTES_MAX)


def read_head(folder: Path, name: str = HEAD_FILE) -> Head | None:
    """None: missing or unreadable."""
    try:
        return msgspec.json.decode(read_log_file(folder / name), type=Head)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def write_head(folder: Path, head: Head, name: str = HEAD_FILE) -> None:
    """Raises: OSError."""
    # In one small write of fixed length, not synchronised: a head that lags behind is caught up with when opened.
    text = f'{{"n":{head.n:<15},"sum":"{head.sum}"}}\n'.encode()
    number = os.open(folder / name, os.O_WRONLY | os.O_CREAT | _OPEN, file_mode())
    try:
        os.pwrite(number, text, 0)
        os.ftruncate(number, len(text))
    finally:
        os.close(number)


def _go_on(found: ChainLine | None, stored: Head | None, *, empty: bool) -> tuple[Head, str]:
    """Where the next line follows on, and what is to be said about it."""
    last = Head() if found is None else Head(found.n, found.sum)
    if stored is None:
        return last, "" if empty else "the head is missing or unreadable"
    if stored.n > last.n:
        # The numbers of lines that are gone are not given again, so that their absence stays visible.
        return stored, f"line {stored.n} and perhaps others before it are missing"
    if stored.n == last.n and stored.sum not in {last.sum, BEGIN}:
        return last, f"line {stored.n} is not the one that the head names"
    return last, ""


def _last_line(content: bytes, seals: Seals) -> tuple[int, ChainLine | None]:
    """Where the last whole line ends, and that line; None if no line can be read."""
    end = content.rfind(b"\n") + 1
    begin = content.rfind(b"\n", 0, max(0, end - 1)) + 1
    try:
        return end, read_line(content[begin : end - 1], seals) if end else None
    except ValueError:
        return end, None


def _last_number(content: bytes) -> int | None:
    """Of the last whole line; without the key, too: a former key may be gone."""
    lines = content.rsplit(b"\n", 2)
    try:
        return msgspec.json.decode(lines[-2], type=_Numbered).n
    except (IndexError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


class _Numbered(msgspec.Struct):
    n: int


def _all_of(number: int) -> bytes:
    chunks = []
    os.lseek(number, 0, os.SEEK_SET)
    while chunk := os.read(number, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)


def _name(number: int) -> str:
    return f"audit-{number:06d}.jsonl"
