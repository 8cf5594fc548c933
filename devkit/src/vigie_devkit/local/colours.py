"""A terminal: its colours and when to use them, its width, and whether somebody reads it."""

from __future__ import annotations

import os
import select
import shutil
from typing import TextIO

DIM, BOLD, RED, YELLOW, PLAIN = "\033[2m", "\033[1m", "\033[31m", "\033[33m", "\033[0m"


def is_terminal(stream: TextIO) -> bool:
    """True where escape sequences act rather than show."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def wants_colour(stream: TextIO) -> bool:
    """A terminal whose user has not set NO_COLOR (https://no-color.org)."""
    return is_terminal(stream) and "NO_COLOR" not in os.environ


def columns_of(stream: TextIO) -> int:
    """Width of the terminal that ``stream`` writes to, as it is now.

    The terminal is asked before COLUMNS: a shell sets that when a command ends, so that it is stale after a resize. Not
    stdout's terminal, which may be a file while the status on stderr is looked at.
    """
    try:
        return os.get_terminal_size(stream.fileno()).columns or shutil.get_terminal_size().columns
    except (OSError, ValueError):
        return shutil.get_terminal_size().columns


def takes_more(stream: TextIO) -> bool:
    """False for a terminal that is held by Ctrl-S or that nobody reads: a write would wait until it goes on."""
    try:
        return bool(select.select([], [stream], [], 0)[1])
    except (OSError, ValueError):
        return True  # gone or without a number: writing tells


def painted(code: str, text: str) -> str:
    """``text`` in a colour; an empty ``code`` leaves it as it is."""
    return f"{code}{text}{PLAIN}" if code else text
