"""How long an acknowledgement is waited for: by the link's own pace, for each output. No clock, no I/O.

A fixed limit shorter than a slow link's acknowledgements sends the same message for ever: each try is given up, with
its connection, before the answer that was on its way. So a limit that was missed is doubled for the next try, and what
acknowledgements took lately says how far it may fall again. A hub that hangs costs a longer wait only while nothing is
acknowledged: to connect to it has a limit of its own.
"""

from __future__ import annotations

import threading
from collections import deque

from vigie.messaging.calls import CALL_DEADLINE_S

CEILING_S = 60.0
# Jitter and a growing message: an acknowledgement three times slower than the slowest of late is still waited for.
_FACTOR = 3.0
_REMEMBERED = 8


class Patience:
    """The limit for one output, in seconds. Thread-safe."""

    def __init__(self) -> None:
        """Begins at the limit of every call, which a healthy hub keeps by three orders of magnitude."""
        self.limit_s = CALL_DEADLINE_S
        self._took_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    def acknowledged(self, took_s: float) -> None:
        """The hub acknowledged after ``took_s`` seconds."""
        with self._lock:
            self._took_s.append(took_s)
            self.limit_s = min(CEILING_S, max(CALL_DEADLINE_S, _FACTOR * max(self._took_s)))

    def missed(self) -> None:
        """Nothing came within the limit."""
        with self._lock:
            self.limit_s = min(CEILING_S, 2 * self.limit_s)


class Patiences:
    """``of`` each output, kept over the sessions of a link."""

    def __init__(self) -> None:
        """None yet."""
        self._by_output: dict[str | None, Patience] = {}

    def of(self, output: str | None) -> Patience:
        return self._by_output.setdefault(output, Patience())
