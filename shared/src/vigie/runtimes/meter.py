"""The energy meter of this machine, if there is one that may be read."""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """``domain``: what is measured (package, board)."""

    domain: str

    def joules(self) -> float | None:
        """A counter; None where it cannot be read now."""


def open_meter_here() -> Meter | None:
    """None: no meter, and nothing is made up in its place."""
    return None
