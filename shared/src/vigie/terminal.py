"""A terminal: whether somebody looks at it, how wide it is, and lines that fit into it."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from typing import TextIO

_COLUMN = re.compile(r"(?<=\S) {2,}(?=\S)")
_COMMAND = re.compile(r"\./vigie\b|docker\b|python\b")


def is_terminal(stream: TextIO) -> bool:
    """True where escape sequences act rather than show."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def columns_of(stream: TextIO) -> int:
    """Width of the terminal that ``stream`` writes to, as it is now.

    The terminal is asked before COLUMNS: a shell sets that when a command ends, so that it is stale after a resize. Not
    stdout's terminal, which may be a file while the status on stderr is looked at.
    """
    try:
        return os.get_terminal_size(stream.fileno()).columns or shutil.get_terminal_size().columns
    except (OSError, ValueError):
        return shutil.get_terminal_size().columns


def show_text(text: str, stream: TextIO | None = None) -> None:
    """Write ``text`` and a line feed (to stdout by default).

    What is wider than the terminal goes on in the next line, below its own column. A file or a pipe gets one line per
    record, as given: the next program reads lines. One that has gone (``| head``) changes nothing for the caller, whose
    verdict is still to come.
    """
    target = sys.stdout if stream is None else stream
    lines = text.split("\n")
    if target.isatty():
        width = columns_of(target)
        lines = [part for line in lines for part in fitted(line, width)]
    try:
        target.write("\n".join(lines) + "\n")
        target.flush()
    except BrokenPipeError:
        let_go(target)


def let_go(stream: TextIO) -> None:
    """Whoever read ``stream`` has gone: all else that is written to it goes nowhere, now and when the program ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def fitted(line: str, width: int) -> list[str]:
    """``line`` in parts of at most ``width`` characters; further ones begin below the last column of its left half.

    A word is never broken and neither is a command that ends the line: both can be copied as they are shown, and the
    terminal wraps them if it must.
    """
    if len(line) <= width:
        return [line]
    indent = len(line) - len(line.lstrip())
    begin = max((gap.end() for gap in _COLUMN.finditer(line) if gap.end() <= width // 2), default=indent)
    if _COMMAND.match(line[begin:]):
        return [line]
    return textwrap.wrap(
        line[begin:],
        width,
        initial_indent=line[:begin],
        subsequent_indent=" " * (begin if begin > indent else indent + 4),
        break_long_words=False,
        break_on_hyphens=False,
    )
