"""Counts in sentences: ``1 frame``, ``2 frames``."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """``count`` and ``noun``, in the plural unless it is one. ``noun``: regular, in the singular."""
    if count == 1:
        return f"1 {noun}"
    ending = "ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else "s"
    if noun.endswith(("s", "x", "ch", "sh")):
        ending = "es"
    return f"{count} {noun[:-1] if ending == 'ies' else noun}{ending}"
