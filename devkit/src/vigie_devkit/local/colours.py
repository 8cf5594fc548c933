"""Colours of a terminal, when to use them, and whether somebody reads what is written to it."""

from __future__ import annotations

import os
import select
from typing import TextIO

from vigie.terminal import is_terminal

DIM, BOLD, RED, YELLOW, PLAIN = "\033[2m", "\033[1m", "\033[31m", "\033[33m", "\033[0m"


def wants_colour(stream: TextIO) -> bool:
    """A terminal whose user has not set NO_COLOR (https://no-color.org)."""
    return is_terminal(stream) and "NO_COLOR" not in os.environ


def takes_more(stream: TextIO) -> bool:
    """False for a terminal that is held by Ctrl-S or that nobody reads: a write would wait until it goes on."""
    try:
        return bool(select.select([], [stream], [], 0)[1])
    except (OSError, ValueError):
        return True  # gone or without a number: writing tells


def painted(code: str, text: str) -> str:
    """``text`` in a colour; an empty ``code`` leaves it as it is."""
    return f"{code}{text}{PLAIN}" if code else text
