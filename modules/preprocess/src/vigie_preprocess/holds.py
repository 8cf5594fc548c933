"""Keeps frames in their camera's ring while inference works on them: a picture of what it finds must show that frame.

A slow model answers when a ring of eight slots has long been written over. The frames that it will answer for are
known here: those whose tensors wait or are on their way. They, and the one answered for last, keep their reader's lock,
and the camera writes into the other slots.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from vigie.contracts.frames import FrameItem
from vigie.contracts.pixels import RingReference
from vigie.errors import FrameGoneError
from vigie.frames import RingPool

# Slots that a camera needs to go on: two that its decoder fills, one that is read, one that waits.
FREE_SLOTS = 4
# Answered for a moment ago: whoever wants the picture asks now.
ANSWERED = 1
# A camera that gives no more frames gets its memory back.
LONGEST_S = 30.0


@dataclass(slots=True)
class _Held:
    """Of one camera, oldest first."""

    frames: deque[tuple[str, RingReference]] = field(default_factory=deque)
    changed_s: float = 0.0


class Holds:
    """Used from one thread."""

    def __init__(self, pool: RingPool, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``pool``: that frames are leased from."""
        self._pool, self._clock = pool, clock
        self._cameras: dict[str, _Held] = {}

    def take(self, item: FrameItem) -> None:
        """Hold the frame; not one that is gone, lies in no ring, or is of a file, which waits for us."""
        reference = item.pixels
        if item.keep or not isinstance(reference, RingReference):
            return
        held = self._cameras.setdefault(item.camera, _Held())
        if held.frames and held.frames[-1][1].ring != reference.ring:
            self._release(held, 0)  # the camera has begun another ring: nobody may see the former any more
        with contextlib.suppress(FrameGoneError):
            self._pool.acquire(reference)
            held.frames.append((item.trace, reference))
            held.changed_s = self._clock()

    def drop(self, camera: str, trace: str) -> None:
        """No answer will come for this frame."""
        held = self._cameras.get(camera, _Held())
        for one in [one for one in held.frames if one[0] == trace]:
            held.frames.remove(one)
            self._pool.release(one[1])

    def shorten(self, camera: str, outstanding: int) -> None:
        """``outstanding``: tensors of ``camera`` that wait or are on their way."""
        held = self._cameras.get(camera)
        if held is not None and held.frames:
            room = self._pool.slots(held.frames[-1][1]) - FREE_SLOTS
            self._release(held, max(0, min(outstanding + ANSWERED, room)))

    def expire(self) -> None:
        """Release what has been held for too long; call it now and then."""
        for held in self._cameras.values():
            if held.frames and self._clock() - held.changed_s > LONGEST_S:
                self._release(held, 0)

    def close(self) -> None:
        """Release everything; before the pool is closed."""
        for held in self._cameras.values():
            self._release(held, 0)

    def _release(self, held: _Held, most: int) -> None:
        while len(held.frames) > most:
            self._pool.release(held.frames.popleft()[1])
