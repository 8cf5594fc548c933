"""Pixels between processes: a ring in shared memory with cursors beside it, inline JPEG where no memory is shared.

The ring's classes load on first use: the cursor must come without NumPy, because sync uses it and has none.
``vigie.frames.inline`` and ``picture`` are imported by their own names; only they load OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vigie.frames.cursor import CursorReader, CursorWriter
    from vigie.frames.reader import RingPool
    from vigie.frames.space import check_space, ring_bytes
    from vigie.frames.writer import RingWriter, SlotView, remove_dead_rings

__all__ = [
    "CursorReader",
    "CursorWriter",
    "RingPool",
    "RingWriter",
    "SlotView",
    "check_space",
    "remove_dead_rings",
    "ring_bytes",
]

_HOME = {
    "CursorReader": "cursor",
    "CursorWriter": "cursor",
    "RingPool": "reader",
    "RingWriter": "writer",
    "SlotView": "writer",
    "check_space": "space",
    "remove_dead_rings": "writer",
    "ring_bytes": "space",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'vigie.frames' has no attribute {name!r}")
    return getattr(import_module(f"vigie.frames.{_HOME[name]}"), name)
