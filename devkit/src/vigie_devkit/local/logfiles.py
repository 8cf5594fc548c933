"""Log files of a run: kept apart per process, rotated by copy and truncate while the process writes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vigie_devkit.local.colours import DIM, RED, YELLOW, painted

_LEVELS = {"debug": DIM, "warning": YELLOW, "error": RED, "critical": RED}
LIMIT_BYTES = 10_000_000
KEEP = 3


def rotate(log: Path, *, limit_bytes: int = LIMIT_BYTES, keep: int = KEEP) -> bool:
    """Move a log that has grown beyond the limit to ``<log>.1``; ``keep`` former ones stay. True if it did.

    Copy and truncate, because the process holds the file open for appending and must not be asked to let go.
    A line written between the two is lost.
    """
    try:
        if log.stat().st_size < max(1, limit_bytes):
            return False
        shift(log, keep)
        shutil.copyfile(log, numbered(log, 1))
        with log.open("r+b") as file:
            file.truncate(0)
    except OSError:
        return False  # a full disk must not end the run; the log grows until there is room
    return True


def shift(log: Path, keep: int = KEEP) -> None:
    """Make ``<log>.1`` free: each former log moves up by one, the oldest goes."""
    for number in range(keep, 0, -1):
        if number == keep:
            numbered(log, number).unlink(missing_ok=True)
        else:
            with suppress(FileNotFoundError):
                numbered(log, number).rename(numbered(log, number + 1))


def begin(log: Path) -> None:
    """Put the former run's log aside, so that this run's begins empty."""
    if log.exists() and log.stat().st_size:
        shift(log)
        log.rename(numbered(log, 1))


def numbered(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")


def tail(log: Path, count: int) -> list[str]:
    """The last ``count`` lines, read from the end of the file."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 400 * count - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return lines[-count:]


def last_words(log: Path) -> str:
    """What a process said last that explains its end: its last error, else its last line."""
    lines = [line for line in tail(log, 50) if line.strip()]
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in {"error", "critical"}:
            return readable(line)
    return readable(lines[-1]) if lines else "it said nothing"


def readable(line: str, *, colour: bool = False) -> str:
    """A JSON log line as people read it: time, level, module, event, fields; anything else as it is.

    ``colour``: for a terminal, the level in its colour and the time dim.
    """
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "event" not in entry:
        return line
    stamp = str(entry.pop("timestamp", ""))[11:23]
    level, event, module = entry.pop("level", "info"), entry.pop("event"), entry.pop("module", "")
    trace = entry.pop("exception", None)
    fields = " ".join(f"{key}={_plain(value)}" for key, value in entry.items())
    if colour:
        stamp, shown = painted(DIM, stamp), painted(_LEVELS.get(str(level), ""), f"{level:<7}")
    else:
        shown = f"{level:<7}"
    head = f"{stamp} {shown} {module:<10} {event}  {fields}".rstrip()
    return f"{head}\n{trace}" if trace else head


def _plain(value: object) -> str:
    """A single word as it is; anything else, and what would act on the terminal, as JSON."""
    if isinstance(value, str) and value and " " not in value and value.isprintable():
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def follow(positions: dict[Path, int]) -> Iterator[tuple[Path, str]]:
    """Whole lines that were added since the last call; ``positions`` is kept up to date. A rotated log begins anew."""
    for log, position in positions.items():
        try:
            size = log.stat().st_size
            with log.open("rb") as file:
                file.seek(position if size >= position else 0)
                new = file.read()
        except OSError:
            continue
        whole, newline, _ = new.rpartition(b"\n")
        positions[log] = (position if size >= position else 0) + len(whole) + len(newline)
        for line in whole.decode("utf-8", "replace").splitlines():
            yield log, line
