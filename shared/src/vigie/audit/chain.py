"""Lines that name their predecessor by its hash: what a line is, and what somebody did to them. No clock, no I/O.

A line is JSON: ``n`` (counts up by one), ``at``, ``module``, ``boot``, ``entry``, ``prev`` (the ``sum`` of the line
before), ``sum`` (sha256 over the line without it). The head holds the last line's ``n`` and ``sum``, so that a missing
end is found too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.audit.record import AuditEntry
from vigie.audit.sealed import opened
from vigie.sealing import Seals

Sum = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
BEGIN = "0" * 64
"""``prev`` of the first line."""
IN_THE_CLEAR = Seals()
_SUM = ',"sum":"'
_SUM_BYTES = len(_SUM) + 64 + len('"}')


class ChainLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of the log."""

    n: Annotated[int, Meta(ge=1)]
    at: str
    module: str
    boot: str
    entry: AuditEntry
    prev: Sum
    sum: Sum


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest line: its number and its sum. ``n`` 0: the log is empty."""

    n: Annotated[int, Meta(ge=0)] = 0
    sum: Sum = BEGIN


@dataclass(frozen=True, slots=True)
class Break:
    """One place where the log is not what was written."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """``first``..``head.n``: the numbers of the lines that are there."""

    lines: int
    first: int
    head: Head
    breaks: tuple[Break, ...]


def write_line(entry: AuditEntry, before: Head, *, at: str, module: str, boot: str) -> tuple[bytes, Head]:
    """The line after ``before`` (with its line feed), and the head that it makes."""
    blank = ChainLine(n=before.n + 1, at=at, module=module, boot=boot, entry=entry, prev=before.sum, sum=BEGIN)
    body = msgspec.json.encode(blank)[:-_SUM_BYTES] + b"}"
    digest = hashlib.sha256(body).hexdigest()
    return body[:-1] + f'{_SUM}{digest}"}}\n'.encode(), Head(blank.n, digest)


def read_line(text: bytes, seals: Seals = IN_THE_CLEAR) -> ChainLine:
    """A line without its line feed, sealed or not.

    Raises: ValueError: it is not one, or its sum is of other text. SealedError: its key is not among ``seals``.
    """
    text = opened(text, seals)
    try:
        line = msgspec.json.decode(text, type=ChainLine)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"is not a line of an audit log ({error})") from error
    body = text[:-_SUM_BYTES] + b"}"
    if not text.endswith(f'{_SUM}{line.sum}"}}'.encode()) or hashlib.sha256(body).hexdigest() != line.sum:
        raise ValueError("was changed: its sum is not that of its text")
    return line


def verify(
    files: Sequence[tuple[str, bytes]], head: Head | None, *, known: Head | None = None, seals: Seals = IN_THE_CLEAR
) -> ChainVerdict:
    """Everything that is wrong with a log.

    Args: files: name and content, oldest first. head: of the head file; None: missing or unreadable. known: a line that
        somebody else wrote down, such as the reported property ``audit``. seals: the keys of sealed lines.
    Raises: SealedError: a line needs another key.
    """
    breaks: list[Break] = []
    last, first, count = Head(), 0, 0
    oldest = ("", 0, BEGIN)
    sums: dict[int, str] = {}
    removed: dict[int, tuple[str, int]] = {}
    where = ("", 0)
    for name, content in files:
        lines = content.split(b"\n")
        if lines[-1]:
            breaks.append(Break(name, len(lines), "is cut off in the middle of a line"))
        for number, text in enumerate(lines[:-1], 1):
            where = (name, number)
            try:
                line = read_line(text, seals)
            except ValueError as error:
                breaks.append(Break(name, number, str(error)))
                continue
            if count == 0:
                first = line.n
                last = Head(line.n - 1, line.prev)
                oldest = (name, number, line.prev)
            count += 1
            breaks.extend(_not_following(last, line, name, number))
            if line.entry.kind == "removed" and line.entry.last is not None:
                removed[line.entry.last] = (line.entry.file, number)
            sums[line.n] = line.sum
            last = Head(line.n, line.sum)
    if count and first > 1 and first - 1 not in removed:
        name, number, _ = oldest
        breaks.append(
            Break(name, number, f"begins with line {first}, and no line says that those before were rotated out")
        )
    if count and first == 1 and oldest[2] != BEGIN:
        breaks.append(Break(*oldest[:2], "is the first line and names one before it"))
    breaks.extend(_end(last, head, where, sums))
    if known is not None and sums.get(known.n, known.sum if known.n < first else "") != known.sum:
        breaks.append(Break("", 0, f"line {known.n} is not the one that was reported ({known.sum[:12]}..)"))
    return ChainVerdict(count, first, last, tuple(breaks))


def _not_following(last: Head, line: ChainLine, name: str, number: int) -> list[Break]:
    if line.n == last.n + 1 and line.prev == last.sum:
        return []
    if line.n == last.n + 1:
        return [Break(name, number, f"does not follow line {last.n} as it stands: one of the two was changed")]
    if line.n <= last.n:
        return [Break(name, number, f"is line {line.n} after line {last.n}: repeated, or in another order")]
    missing = f"line {last.n + 1}" if line.n == last.n + 2 else f"lines {last.n + 1} to {line.n - 1}"
    return [Break(name, number, f"is line {line.n}: {missing} missing before it")]


def _end(last: Head, head: Head | None, where: tuple[str, int], sums: dict[int, str]) -> list[Break]:
    if head is None:
        return [Break(*where, "the head is missing or unreadable: whether lines are missing at the end is not known")]
    # After a power loss the head may lag behind its lines; never the other way round.
    if head.n > last.n:
        return [Break(*where, f"ends with line {last.n}, the head says {head.n}: the end is missing")]
    if head.n and sums.get(head.n, head.sum if head.n < min(sums, default=1) else "") != head.sum:
        return [Break(*where, f"line {head.n} is not the one that the head names: it was changed")]
    return []
