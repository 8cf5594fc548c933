"""Colours of a terminal, and when to use them."""

from __future__ import annotations

import os
from typing import TextIO

DIM, BOLD, RED, YELLOW, PLAIN = "\033[2m", "\033[1m", "\033[31m", "\033[33m", "\033[0m"


def is_terminal(stream: TextIO) -> bool:
    """True where escape sequences act rather than show."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def wants_colour(stream: TextIO) -> bool:
    """A terminal whose user has not set NO_COLOR (https://no-color.org)."""
    return is_terminal(stream) and "NO_COLOR" not in os.environ


def painted(code: str, text: str) -> str:
    """``text`` in a colour; an empty ``code`` leaves it as it is."""
    return f"{code}{text}{PLAIN}" if code else text
